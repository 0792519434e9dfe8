# C types of `lines.py`, all that other kernels see of this one; on top of `integers.pxd`.

cdef class Lines:
    cdef q teller, issued, done
    cdef readonly bint fails

    cdef bint ask(self, q requester, q address, q size, q cycle, bint quiet) except -1
    cdef bint reach(self, q cycle) except -1
    cdef bint tells(self) except -1
