package storage

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// disks are sparse files that appear as block devices. A file of 50Gi takes only
// what is written to it.
type disks struct {
	dir string
	mu  sync.Mutex // losetup --find races with itself
}

func (d *disks) file(name string) string { return filepath.Join(d.dir, name+".img") }

// create makes a disk, or finds the one of an earlier attempt, and gives its device.
func (d *disks) create(name string, bytes int64) (device string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if device, err := d.device(name); device != "" || err != nil {
		return device, err
	}
	file, err := os.OpenFile(d.file(name), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", err
	}
	defer file.Close()
	if err := file.Truncate(bytes); err != nil {
		return "", err
	}
	return command("losetup", "--find", "--show", d.file(name))
}

// grow makes a disk larger; it never shrinks one.
func (d *disks) grow(name string, bytes int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	info, err := os.Stat(d.file(name))
	if err != nil {
		return err
	}
	if info.Size() < bytes {
		if err := os.Truncate(d.file(name), bytes); err != nil {
			return err
		}
	}
	device, err := d.device(name)
	if err != nil {
		return err
	}
	_, err = command("losetup", "--set-capacity", device)
	return err
}

// remove deletes a disk with everything on it.
func (d *disks) remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	device, err := d.device(name)
	if err != nil {
		return err
	}
	if device != "" {
		if _, err := command("losetup", "--detach", device); err != nil {
			return err
		}
	}
	if err := os.Remove(d.file(name)); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}

// device is the loop device of a disk, or "" if it has none.
func (d *disks) device(name string) (string, error) {
	if _, err := os.Stat(d.file(name)); os.IsNotExist(err) {
		return "", nil
	}
	out, err := command("losetup", "--noheadings", "--output", "NAME", "--associated", d.file(name))
	first, _, _ := strings.Cut(out, "\n")
	return strings.TrimSpace(first), err
}

// format prepares a fresh device. An ext4 is left to the kubelet, as with any
// disk; it would make an xfs too, but none as small as the volumes of tests.
func format(device, filesystem string) error {
	if filesystem != "xfs" {
		return nil
	}
	if found, _ := command("blkid", "--output", "value", "--match-tag", "TYPE", device); found != "" {
		return nil // of an earlier attempt
	}
	_, err := command("mkfs.xfs", "--unsupported", "-q", device)
	return err
}

func command(name string, args ...string) (string, error) {
	out, err := exec.Command(name, args...).CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, text)
	}
	return text, nil
}
