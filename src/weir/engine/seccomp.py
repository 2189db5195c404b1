"""Seccomp: the kernel refuses the calls that no query has any need of.

Landlock keeps files; this keeps the rest: sockets, processes, tracing, name spaces, kernel
interfaces with a long list of past mistakes, and changes of files' owners and modes, which
Landlock does not cover. A refused call fails with EPERM; nothing is killed. Where the machine is
of another kind, or its kernel has no filters, nothing is restricted here and the other layers
stand alone. Source: Documentation/userspace-api/seccomp_filter.rst of the kernel.
"""

import ctypes
import errno
import os
import struct
from typing import Final, NamedTuple

_SET_MODE_FILTER = 1
_ALL_THREADS = 1
_X32_BIT = 0x40000000

_ALLOW = 0x7FFF0000
_REFUSE = 0x00050000 | errno.EPERM

_LOAD = 0x20
_IF_EQUAL = 0x15
_IF_AT_LEAST = 0x35
_RETURN = 0x06
_AT_NUMBER = 0
_AT_MACHINE = 4

_INSTRUCTION = struct.Struct("<HBBI")


class _Machine(NamedTuple):
    audit: int
    """How the kernel names it in a filter's input."""
    seccomp: int
    """The number of the call that sets a filter."""
    column: int
    """Which number of ``_REFUSED`` is the machine's."""


_MACHINES: Final = {
    "x86_64": _Machine(0xC000003E, 317, 0),
    "aarch64": _Machine(0xC00000B7, 277, 1),
}

_REFUSED: Final[dict[str, tuple[int | None, int | None]]] = {
    "accept": (43, 202),
    "accept4": (288, 242),
    "acct": (163, 89),
    "add_key": (248, 217),
    "adjtimex": (159, 171),
    "bind": (49, 200),
    "bpf": (321, 280),
    "chmod": (90, None),
    "chown": (92, None),
    "chroot": (161, 51),
    "clock_adjtime": (305, 266),
    "clock_settime": (227, 112),
    "clone": (56, 220),
    "clone3": (435, 435),
    "connect": (42, 203),
    "delete_module": (176, 106),
    "execve": (59, 221),
    "execveat": (322, 281),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "fchown": (93, 55),
    "fchownat": (260, 54),
    "finit_module": (313, 273),
    "fork": (57, None),
    "fremovexattr": (199, 16),
    "fsconfig": (431, 431),
    "fsetxattr": (190, 7),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "init_module": (175, 105),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "ioperm": (173, None),
    "iopl": (172, None),
    "kcmp": (312, 272),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "kill": (62, 129),
    "lchown": (94, None),
    "listen": (50, 201),
    "lremovexattr": (198, 15),
    "lsetxattr": (189, 6),
    "modify_ldt": (154, None),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "mq_open": (240, 180),
    "msgget": (68, 186),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "perf_event_open": (298, 241),
    "personality": (135, 92),
    "pidfd_getfd": (438, 438),
    "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424),
    "pivot_root": (155, 41),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "quotactl": (179, 60),
    "reboot": (169, 142),
    "removexattr": (197, 14),
    "request_key": (249, 218),
    "semget": (64, 190),
    "setdomainname": (171, 162),
    "sethostname": (170, 161),
    "setns": (308, 268),
    "settimeofday": (164, 170),
    "setxattr": (188, 5),
    "shmget": (29, 194),
    "socket": (41, 198),
    "socketpair": (53, 199),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "tgkill": (234, 131),
    "tkill": (200, 130),
    "truncate": (76, 45),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
    "utimensat": (280, 88),
    "vfork": (58, None),
}
"""Calls by name, with their numbers on x86-64 and on ARM64."""


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def refuse_calls() -> bool:
    """Makes the kernel answer those calls of all threads with EPERM, for ever.

    Returns whether the kernel does it. The process must have given up new privileges before.
    """
    machine = _MACHINES.get(os.uname().machine)
    if machine is None:
        return False
    instructions = _filter(machine)
    program = _Program(len(instructions) // _INSTRUCTION.size, instructions)
    library = ctypes.CDLL(None, use_errno=True)
    result: int = library.syscall(
        *map(ctypes.c_long, (machine.seccomp, _SET_MODE_FILTER, _ALL_THREADS)),
        ctypes.byref(program),
    )
    return result == 0


def _filter(machine: _Machine) -> bytes:
    """The program: another machine's calls and those of the list are refused."""
    numbers = sorted(
        number for numbers in _REFUSED.values() if (number := numbers[machine.column]) is not None
    )
    body = [(_IF_AT_LEAST, _X32_BIT), *((_IF_EQUAL, number) for number in numbers)]
    left = len(body)
    instructions = [
        (_LOAD, 0, 0, _AT_MACHINE),
        (_IF_EQUAL, 1, 0, machine.audit),
        (_RETURN, 0, 0, _REFUSE),
        (_LOAD, 0, 0, _AT_NUMBER),
        *((test, left - place, 0, value) for place, (test, value) in enumerate(body)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]
    return b"".join(_INSTRUCTION.pack(*each) for each in instructions)
