package image

import (
	"embed"
	"os/exec"
	"path/filepath"
	"strings"

	"devcluster/internal/debian"
	"devcluster/internal/recipe"
)

//go:embed busybox
var replacements embed.FS

var busyboxTree = debian.Tree{Name: "busybox", Packages: []string{"busybox-static"}}

// busybox is Debian's static build of it, with every applet as a symlink.
func busybox(b recipe.Built) ([]File, error) {
	file := busyboxProgram(b)
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

func busyboxProgram(b recipe.Built) string { return filepath.Join(debian.Root(b), "usr/bin/busybox") }

// shell gives the few applets that a start script needs.
func shell(b recipe.Built, applets ...string) []File {
	files := []File{program("/usr/bin/busybox", busyboxProgram(b))}
	for _, applet := range applets {
		files = append(files, File{Path: "/usr/bin/" + applet, Link: "busybox"})
	}
	return files
}
