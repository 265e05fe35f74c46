"""Readings of the real host, and which file systems and processes count."""

import os
import subprocess
from pathlib import Path

import pytest

from integrations.probe import host
from integrations.probe.host import Partition, Process


def everything_is_a_folder(_path):
    return True


def test_the_root_counts_even_where_it_is_no_device():
    assert host.choose_mounts([], everything_is_a_folder) == ["/"]


def test_each_device_counts_once_by_its_mount_point_nearest_to_the_root():
    partitions = [
        Partition("/dev/sda2", "/var/lib/containers/bind", "ext4"),
        Partition("/dev/sda2", "/var", "ext4"),
        Partition("/dev/sda1", "/", "ext4"),
        Partition("tank/home", "/home", "zfs"),
    ]
    assert host.choose_mounts(partitions, everything_is_a_folder) == ["/", "/home", "/var"]


def test_file_systems_that_are_always_full_and_mounted_files_do_not_count():
    partitions = [
        Partition("/dev/loop3", "/snap/core/1", "squashfs"),
        Partition("/dev/sr0", "/media/cdrom", "iso9660"),
        Partition("/dev/sda1", "/etc/hosts", "ext4"),
    ]
    assert host.choose_mounts(partitions, lambda path: path != "/etc/hosts") == ["/"]


def test_the_real_mounts_hold_the_root():
    assert "/" in host.local_mounts()


def test_disk_and_inodes_are_those_of_statvfs(tmp_path):
    reading, inodes, figures = host.read_disk(str(tmp_path)), host.read_inodes(str(tmp_path)), os.statvfs(tmp_path)
    assert reading.total == figures.f_blocks * figures.f_frsize
    assert 0 <= reading.used <= reading.total
    assert inodes.total == figures.f_files


def test_a_path_that_is_not_there_cannot_be_read(tmp_path):
    for read in (host.read_disk, host.read_inodes):
        with pytest.raises(FileNotFoundError):
            read(str(tmp_path / "nowhere"))


def test_memory_is_that_of_proc_meminfo():
    total = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal:"))
    reading = host.read_memory()
    assert reading.total == int(total.split()[1]) * 1024
    assert 0 < reading.available <= reading.total
    assert 0 <= host.read_swap().available <= host.read_swap().total


def test_load_has_three_averages_and_at_least_one_core():
    reading = host.read_load()
    assert len(reading.averages) == 3
    assert reading.cores >= 1


@pytest.mark.parametrize(
    ("name", "process", "counts"),
    [
        ("cron", Process("cron", ("/usr/sbin/cron", "-f")), True),
        ("cron", Process("crond", ("/usr/sbin/crond",)), False),
        ("kthreadd", Process("kthreadd", ()), True),
        ("multiflexi-executor", Process("multiflexi-exec", ("/usr/bin/multiflexi-executor",)), True),
        ("multiflexi-executor", Process("multiflexi-exec", ("/usr/bin/python3", "/usr/bin/multiflexi-executor")), True),
        ("multiflexi-executor", Process("multiflexi-exec", ("/usr/bin/multiflexi-exec",)), False),
        ("multiflexi-executor", Process("multiflexi-exec", ()), True),
        ("multiflexi-executor", Process("multiflexi", ("multiflexi",)), False),
        ("fail2ban-server", Process("python3.11", ("/usr/bin/python3.11", "/usr/bin/fail2ban-server", "-x")), True),
        ("nginx", Process("vim", ("vim", "/etc/nginx")), False),
        ("python3", Process("python3", ("python3", "app.py")), True),
    ],
)
def test_which_processes_bear_a_name(name, process, counts):
    assert host.count_processes(name, [process]) == counts


def test_a_real_process_is_counted_by_its_full_name_although_the_kernel_cuts_it(tmp_path):
    script = tmp_path / "a-name-longer-than-the-kernel-keeps"
    script.write_text("#!/bin/sh\nread line\n")
    script.chmod(0o755)
    running = [subprocess.Popen([script], stdin=subprocess.PIPE) for _ in range(2)]
    try:
        assert host.count_processes(script.name, host.read_processes()) == 2
        assert host.count_processes(script.name + "-not", host.read_processes()) == 0
    finally:
        for process in running:
            process.communicate(b"\n", timeout=10)


def test_a_zombie_does_not_run(tmp_path):
    script = tmp_path / "ends-at-once"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    process = subprocess.Popen([script])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    try:
        assert host.count_processes(script.name, host.read_processes()) == 0
    finally:
        process.wait(10)
