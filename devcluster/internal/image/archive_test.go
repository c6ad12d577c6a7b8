package image

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheSameFilesGiveTheSameArchive(t *testing.T) {
	files := []File{
		{Path: "/etc/passwd", Text: "root:x:0:0::/:/bin/sh\n"},
		{Path: "/bin/sh", Link: "/bin/busybox"},
		{Path: "/data", Dir: true, Mode: 0o755, UID: nobody, GID: nobody},
	}
	var archives [2][]byte
	for i := range archives {
		target := filepath.Join(t.TempDir(), "image.tar")
		if err := write(target, "example/image:1", files, Config{User: "nobody"}); err != nil {
			t.Fatal(err)
		}
		archives[i], _ = os.ReadFile(target)
	}
	if !bytes.Equal(archives[0], archives[1]) {
		t.Error("two archives of the same files differ")
	}
}

func TestALayerHasTheFoldersThatItsFilesAreIn(t *testing.T) {
	var layer bytes.Buffer
	err := writeLayer(&layer, []File{{Path: "/a/b/c", Text: "x"}, {Path: "/a", Dir: true, Mode: 0o700}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for reader := tar.NewReader(&layer); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		got = append(got, header.Name+" "+header.FileInfo().Mode().String())
	}
	want := "a/ drwx------, a/b/ drwxr-xr-x, a/b/c -rw-r--r--"
	if strings.Join(got, ", ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, ", "), want)
	}
}

// Debian's wget crashes on -T, and its nc knows no -z: the scripts hand the rest
// on as it is. `echo` plays busybox.
func TestBusyboxScriptsTranslateFlags(t *testing.T) {
	for _, example := range []struct{ script, args, runs string }{
		{"wget", "-qO- http://web", "wget -qO- http://web"},
		{"wget", "-qO- -T 2 http://web", "timeout 2 /bin/busybox wget -qO- http://web"},
		{"wget", "-T2 -qO- http://web", "timeout 2 /bin/busybox wget -qO- http://web"},
		{"wget", "--timeout=5 -S http://web", "timeout 5 /bin/busybox wget -S http://web"},
		{"nc", "-l -p 80", "nc -l -p 80"},
		{"nc", "-w 3 web 80", "nc -w 3 web 80"},
	} {
		script, err := replacements.ReadFile("busybox/" + example.script)
		if err != nil {
			t.Fatal(err)
		}
		// The first word of a command is what runs.
		text := strings.NewReplacer("exec /bin/busybox", "exec echo", "\n/bin/busybox", "\necho").Replace(string(script))
		out, err := exec.Command("sh", append([]string{"-c", text, example.script}, strings.Fields(example.args)...)...).Output()
		if got := strings.TrimSpace(string(out)); err != nil || got != example.runs {
			t.Errorf("%s %s\n runs: %s (%v)\n want: %s", example.script, example.args, got, err, example.runs)
		}
	}
}
