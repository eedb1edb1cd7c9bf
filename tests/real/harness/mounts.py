"""File systems made for a suite: an ext4 that can lose its power, and a tmpfs. Need root."""

import contextlib
import fcntl
import os
import struct
import time

from harness import places
from harness.processes import run

# EXT4_IOC_SHUTDOWN: _IOR('X', 125, __u32), and its flag that drops the journal unflushed.
_SHUTDOWN = 0x8004587D
_WITHOUT_FLUSHING = 2


def _must(*command):
    done = run(command)
    if done.returncode != 0:
        raise places.Missing(f"{' '.join(map(str, command))}: {done.stderr.strip()}")


class _Mounted:
    """A context manager that unmounts, whatever has become of the file system."""

    def __init__(self, folder):
        self.folder = folder

    def __exit__(self, *_):
        # Lazily if need be: a process that was killed may take a moment to let go.
        if run(["umount", self.folder]).returncode != 0:
            run(["umount", "--lazy", self.folder])


class Ext4(_Mounted):
    def __init__(self, suite, name, megabytes):
        places.need_root("mounting a file system")
        super().__init__(suite.make_folder(name))
        self._image = suite.folder / f"{name}.img"
        self._megabytes = megabytes

    def __enter__(self):
        with open(self._image, "wb") as image:
            image.truncate(self._megabytes * 1024 * 1024)
        _must(places.system_program("mkfs.ext4"), "-q", "-F", self._image)
        self._mount()
        return self

    def _mount(self):
        _must("mount", "-o", "loop", self._image, self.folder)

    def cut_power(self):
        """From now on nothing reaches the disk, and what was not synced never did."""
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(folder, _SHUTDOWN, struct.pack("I", _WITHOUT_FLUSHING))
        finally:
            os.close(folder)

    def restore_power(self):
        """Mounts it again, once nobody has a file of it open any more."""
        for _ in range(50):
            if run(["umount", self.folder]).returncode == 0:
                break
            time.sleep(0.1)
        self._mount()

    @contextlib.contextmanager
    def read_only(self):
        _must("mount", "-o", "remount,ro", self.folder)
        try:
            yield
        finally:
            _must("mount", "-o", "remount,rw", self.folder)


class Tmpfs(_Mounted):
    def __init__(self, suite, name, megabytes):
        places.need_root("mounting a file system")
        super().__init__(suite.make_folder(name))
        self._megabytes = megabytes

    def __enter__(self):
        _must("mount", "-t", "tmpfs", "-o", f"size={self._megabytes}m", "tmpfs", self.folder)
        return self
