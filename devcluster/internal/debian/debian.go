// Package debian gives the files of Debian packages without installing them: the
// packages that were asked for and what they depend on, unpacked into a folder of
// the cache. They are those of the machine's own release, by its own apt.
package debian

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"devcluster/internal/recipe"
	"devcluster/internal/talk"
)

// layout is raised when packages are unpacked differently.
const layout = 1

// Tree is a file system made of packages.
type Tree struct {
	Name     string
	Packages []string
	// Without are patterns of packages that are left out, though others depend on
	// them, besides those that only an installation needs.
	Without []string
}

// installation is what only the scripts that install a package need. None is run.
var installation = []string{
	"adduser", "debconf", "dpkg", "init-system-helpers", "libpam-modules*", "libpam-runtime",
	"libsemanage*", "libsepol*", "lsb-base", "passwd", "perl*", "libperl*", "*-perl", "sysvinit-utils", "tar", "ucf", "usrmerge",
}

// Ensure unpacks the packages if it was not done before. Newer versions are taken
// when the recipe changes, or when the cache was emptied.
func (t Tree) Ensure() (recipe.Built, error) {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %q %q %q", layout, t.Packages, t.Without, installation))
	return recipe.Once("debian-"+t.Name, hex.EncodeToString(sum[:])[:12], func(dir string) error {
		started := time.Now()
		err := t.fetch(dir)
		if err != nil {
			talk.Sayf("reading Debian's lists of packages")
			if _, updateErr := run(dir, "apt-get", "-q", "update"); updateErr != nil {
				err = fmt.Errorf("%w (and %w)", err, updateErr)
			} else {
				err = t.fetch(dir)
			}
		}
		if err != nil {
			return talk.Failf("cannot get Debian's packages %s: %w", strings.Join(t.Packages, ", "), err).
				Hinted("the machine must be able to `apt-get download %s`", t.Packages[0])
		}
		talk.Sayf("unpacked Debian's packages for %s in %s", t.Name, talk.Minutes(time.Since(started)))
		return nil
	})
}

// Root is where the files of an unpacked tree are.
func Root(b recipe.Built) string { return filepath.Join(b.Dir, "root") }

func (t Tree) fetch(dir string) error {
	packages, err := t.resolve(dir)
	if err != nil {
		return err
	}
	// Root's apt would fetch as the user _apt, who may not write here.
	if _, err := run(dir, "apt-get", append([]string{"-q", "-o", "APT::Sandbox::User=root", "download"}, packages...)...); err != nil {
		return err
	}
	root := filepath.Join(dir, "root")
	// Older packages have files in /bin and /lib, newer ones only below /usr.
	for _, name := range []string{"bin", "sbin", "lib", "lib64"} {
		if err := os.MkdirAll(filepath.Join(root, "usr", name), 0o755); err != nil {
			return err
		}
		if err := os.Symlink("usr/"+name, filepath.Join(root, name)); err != nil && !os.IsExist(err) {
			return err
		}
	}
	archives, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil {
		return err
	}
	if len(archives) == 0 {
		return fmt.Errorf("apt-get left no packages")
	}
	for _, archive := range archives {
		unpack := `dpkg-deb --fsys-tarfile "$1" | tar --extract --keep-directory-symlink --no-same-owner --directory "$2"`
		if _, err := run(dir, "sh", "-c", unpack, "sh", archive, root); err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(archive), err)
		}
		if err := os.Remove(archive); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, "packages"), []byte(strings.Join(packages, "\n")+"\n"), 0o644)
}

// resolve asks apt what an installation on an empty machine would bring.
func (t Tree) resolve(dir string) ([]string, error) {
	empty := filepath.Join(dir, "status")
	if err := os.WriteFile(empty, nil, 0o644); err != nil {
		return nil, err
	}
	out, err := run(dir, "apt-get", append([]string{"-q", "--simulate", "--no-install-recommends",
		"-o", "Dir::State::status=" + empty, "install"}, t.Packages...)...)
	if err != nil {
		return nil, err
	}
	packages := t.wanted(out)
	if len(packages) == 0 {
		return nil, fmt.Errorf("apt-get would install nothing")
	}
	return packages, nil
}

// wanted reads lines as "Inst libc6 (2.36-9 Debian:12.11/stable [amd64])", and gives
// name=version.
func (t Tree) wanted(simulation string) []string {
	var packages []string
	for _, line := range strings.Split(simulation, "\n") {
		fields := strings.Fields(line)
		if len(fields) < 3 || fields[0] != "Inst" {
			continue
		}
		name, version := fields[1], strings.TrimPrefix(fields[2], "(")
		without := func(pattern string) bool { match, _ := path.Match(pattern, name); return match }
		if !slices.Contains(t.Packages, name) && (slices.ContainsFunc(installation, without) || slices.ContainsFunc(t.Without, without)) {
			continue
		}
		packages = append(packages, name+"="+version)
	}
	return packages
}

func run(dir, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		said := strings.TrimSpace(stderr.String())
		if lines := strings.Split(said, "\n"); len(lines) > 5 {
			said = strings.Join(lines[len(lines)-5:], "\n")
		}
		return "", fmt.Errorf("%s: %w: %s", name, err, said)
	}
	return string(out), nil
}
