# C types of `integers.py`, the first part of those of each kernel. q: a signed number of 64 bits.

cimport cython
from cpython.array cimport array

ctypedef long long q

cdef extern from *:
    """
    #ifndef ACCELSIM_INTEGERS  /* a kernel that calls another one has both their types */
    #define ACCELSIM_INTEGERS
    /* Exact beyond 64 bits; small numbers are divided faster. */
    static inline long long scaled_up(long long clock, long long numerator, long long denominator) {
        if ((unsigned long long) (clock | numerator | denominator) < 1ULL << 31)
            return (clock * numerator + denominator - 1) / denominator;
        return (long long) (((__int128) clock * numerator + denominator - 1) / denominator);
    }
    static inline long long scaled_down(long long clock, long long numerator, long long denominator) {
        if ((unsigned long long) (clock | numerator) < 1ULL << 31) return clock * numerator / denominator;
        return (long long) ((__int128) clock * numerator / denominator);
    }
    #endif
    """
    q scaled_up(q clock, q numerator, q denominator) noexcept
    q scaled_down(q clock, q numerator, q denominator) noexcept


cdef inline q[::1] numbers(values):
    return array("q", values) if isinstance(values, (list, tuple, range)) else values


cdef inline array filled(q count, q value):
    return array("q", [value]) * count


cdef inline array zeros(q count):
    return array("q", bytes(8 * count))


cdef inline q lowest(q[::1] row) noexcept:
    cdef q least = row[0]
    cdef Py_ssize_t at
    for at in range(1, row.shape[0]):
        least = row[at] if row[at] < least else least
    return least
