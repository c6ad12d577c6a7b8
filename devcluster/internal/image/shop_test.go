package image

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// People build the example with its Dockerfile; the cluster has it without.
func TestTheShopIsWhatItsDockerfileSays(t *testing.T) {
	dir, err := shopSource()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	said := map[string][]string{}
	for _, line := range strings.Split(string(text), "\n") {
		if instruction, rest, found := strings.Cut(line, " "); found && !strings.HasPrefix(line, "#") {
			said[instruction] = append(said[instruction], rest)
		}
	}
	list := func(instruction string) (words []string) {
		if err := json.Unmarshal([]byte(strings.Join(said[instruction], "")), &words); err != nil {
			t.Errorf("%s: %v", instruction, err)
		}
		return words
	}
	for what, pair := range map[string][2][]string{
		"USER":       {said["USER"], {shop.Config.User}},
		"WORKDIR":    {said["WORKDIR"], {shop.Config.WorkingDir}},
		"ENTRYPOINT": {list("ENTRYPOINT"), shop.Config.Entrypoint},
		"CMD":        {list("CMD"), shop.Config.Cmd},
		"ENV":        {said["ENV"], shop.Config.Env[1:]},
	} {
		if !slices.Equal(pair[0], pair[1]) {
			t.Errorf("%s: %q in the Dockerfile, %q here", what, pair[0], pair[1])
		}
	}
	if _, exposed := shop.Config.Ports[strings.Join(said["EXPOSE"], "")+"/tcp"]; !exposed {
		t.Errorf("EXPOSE %q, %v here", said["EXPOSE"], shop.Config.Ports)
	}
	files, err := shopApp(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := strings.TrimPrefix(file.Path, "/app/")
		if name != "load.py" && !strings.HasPrefix(name, "shop/") {
			t.Errorf("%s is not copied by the Dockerfile", file.Path)
		}
	}
	if !slices.ContainsFunc(files, func(f File) bool { return f.Path == "/app/shop/app.py" }) {
		t.Errorf("the service is not among %d files", len(files))
	}
}

func TestAFolderIsTakenWithoutWhatMatches(t *testing.T) {
	host := t.TempDir()
	for _, name := range []string{"usr/lib/a.so", "usr/share/doc/a/copyright", "usr/lib/x/gconv/y.so"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(host, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(host, name), nil, 0o640); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("usr/lib", filepath.Join(host, "lib")); err != nil {
		t.Fatal(err)
	}
	files, err := folder(host, "/", needless...)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, file := range files {
		switch {
		case file.Link != "":
			got = append(got, file.Path+" → "+file.Link)
		case !file.Dir:
			got = append(got, file.Path)
		}
	}
	if want := []string{"/lib → usr/lib", "/usr/lib/a.so"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
