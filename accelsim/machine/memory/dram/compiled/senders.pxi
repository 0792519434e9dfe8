# Who sends bursts, as in `memory.py` and `command.py`, and where the bursts go.

cdef struct Part:
    # A part of an address: its size, a shift if that is a power of 2 (else NONE), and what it counts for in each number.
    long long size, of_channel, of_bank, of_row, of_local
    int shift


cdef struct Transfer:
    # Bursts of a sender from `first` to before `end`; issued: when the last one left.
    long long first, end, issued


cdef struct Sender:
    # Bursts in the order in which they are sent: channel, direction and number there. issued: to be reported, or NONE.
    long long count, space, next, offer, window, cycle, retired, issued
    int *channel
    unsigned char *direction
    long long *number
    long long *free
    long long transfers, transfers_ended, transfer_space
    Transfer *transfer


cdef int find_parts(Part *parts, address_map) except -1:
    """The parts of an address, from low to high; returns how many there are."""
    sizes = dict(address_map.parts)
    cdef long long local = 1
    cdef int count = 0
    cdef Part *part
    for word, size in reversed(address_map.parts):
        part = &parts[count]
        memset(part, 0, sizeof(Part))
        part.size = size
        part.shift = size.bit_length() - 1 if size & (size - 1) == 0 else NONE
        if word == "channel":
            part.of_channel = 1
        else:
            part.of_local = local
            local *= size
        part.of_row = word == "row"
        bank_words = ("rank", "pseudochannel", "bankgroup", "bank")
        if word in bank_words:
            part.of_bank = prod(sizes[lower] for lower in bank_words[bank_words.index(word) + 1 :])
        count += size > 1
    return count


cdef Sender new_sender(int channels) except *:
    cdef Sender sender
    memset(&sender, 0, sizeof(Sender))
    sender.offer = NEVER
    sender.issued = NONE
    sender.free = numbers(channels)
    return sender


cdef void free_sender(Sender *sender) noexcept:
    free(sender.channel)
    free(sender.direction)
    free(sender.number)
    free(sender.free)
    free(sender.transfer)


cdef int with_space(Sender *sender, long long more) except -1:
    """Have space for so many bursts more."""
    if sender.count + more <= sender.space:
        return 0
    sender.space = later(2 * sender.space, sender.count + more)
    sender.channel = <int *> grown(sender.channel, sender.space, sizeof(int))
    sender.direction = <unsigned char *> grown(sender.direction, sender.space, 1)
    sender.number = <long long *> grown(sender.number, sender.space, sizeof(long long))
    return 0


cdef int add_transfer(Sender *sender, long long first) except -1:
    """The bursts from `first` on are a transfer."""
    if sender.transfers == sender.transfer_space:
        sender.transfer_space = later(64, 2 * sender.transfer_space)
        sender.transfer = <Transfer *> grown(sender.transfer, sender.transfer_space, sizeof(Transfer))
    sender.transfer[sender.transfers] = Transfer(first, sender.count, 0)
    sender.transfers += 1
    return 0
