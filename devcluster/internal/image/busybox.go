package image

import (
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"devcluster/internal/place"
	"devcluster/internal/talk"
)

//go:embed busybox
var replacements embed.FS

// busybox is Debian's static build of it, with every applet as a symlink. The
// package is unpacked, not installed.
func busybox() ([]File, error) {
	file := filepath.Join(place.Cache(), "built", "busybox", "busybox")
	if _, err := os.Stat(file); err != nil {
		if err := fetchBusybox(filepath.Dir(file)); err != nil {
			return nil, talk.Failf("cannot get busybox from Debian's package busybox-static: %w", err).
				Hinted("the machine must be able to `apt-get download busybox-static`")
		}
	}
	applets, err := exec.Command(file, "--list").Output()
	if err != nil {
		return nil, err
	}
	files := root(program("/bin/busybox", file),
		File{Path: "/usr/bin/env", Link: "/bin/busybox"},
		File{Path: "/var/www", Dir: true, Mode: 0o755},
		File{Path: "/home", Dir: true, Mode: 0o755, UID: nobody, GID: nobody})
	for _, applet := range strings.Fields(string(applets)) {
		if applet != "busybox" {
			files = append(files, File{Path: "/bin/" + applet, Link: "/bin/busybox"})
		}
	}
	for _, applet := range []string{"wget", "nc"} {
		script, err := replacements.ReadFile("busybox/" + applet)
		if err != nil {
			return nil, err
		}
		files = append(files, File{Path: "/bin/" + applet, Mode: 0o755, Text: string(script)}) // the later one counts
	}
	return files, nil
}

func fetchBusybox(dir string) error {
	partial, err := os.MkdirTemp(place.Cache(), "busybox-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(partial)
	run := func(name string, args ...string) error {
		cmd := exec.Command(name, args...)
		cmd.Dir = partial
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(string(out)))
		}
		return nil
	}
	// Root's apt would fetch as the user _apt, who may not write here.
	download := func() error {
		return run("apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", "busybox-static")
	}
	if download() != nil {
		if err := run("apt-get", "-q", "update"); err != nil {
			return err
		}
		if err := download(); err != nil {
			return err
		}
	}
	packages, _ := filepath.Glob(filepath.Join(partial, "busybox-static_*.deb"))
	if len(packages) == 0 {
		return fmt.Errorf("apt-get left no package")
	}
	if err := run("dpkg-deb", "--extract", packages[0], "root"); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, path := range []string{"bin/busybox", "usr/bin/busybox"} {
		if os.Rename(filepath.Join(partial, "root", path), filepath.Join(dir, "busybox")) == nil {
			return nil
		}
	}
	return fmt.Errorf("%s has no bin/busybox", filepath.Base(packages[0]))
}
