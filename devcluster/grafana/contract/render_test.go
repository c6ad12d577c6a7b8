package contract

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// manifest is what the tests read of an object.
type manifest struct {
	Kind     string
	Metadata struct{ Name string }
	Data     map[string]string
	Spec     struct {
		Template struct {
			Spec struct {
				Containers []struct {
					Name         string
					Env          []struct{ Name, Value string }
					VolumeMounts []struct{ Name, MountPath string }
				}
				Volumes []volume
			}
		}
	}
	StringData map[string]string
}

type volume struct {
	source
	Name      string
	EmptyDir  *struct{}
	Projected struct{ Sources []source }
}

type source struct{ ConfigMap, Secret *reference }

type reference struct {
	Name, SecretName string
	Items            []struct{ Key, Path string }
}

const statefulSet, password = "obs-grafana", "correct-horse"

var rendered sync.Map // arguments → output

// render gives the stack's objects, by kind and name.
func render(t *testing.T, args ...string) map[string]manifest {
	t.Helper()
	top, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	program := os.Getenv("KUBECTL_OBS")
	if program == "" {
		program = filepath.Join(top, "target", "debug", "kubectl-obs")
	}
	if _, err := os.Stat(program); err != nil {
		skip(t, "nothing renders the chart: cargo build, or set KUBECTL_OBS")
	}
	key := strings.Join(args, " ")
	out, known := rendered.Load(key)
	if !known {
		command := exec.Command(program, append([]string{"template", filepath.Join(top, "charts", "stack"), "-o", "json", "--show-secrets"}, args...)...)
		command.Stderr = os.Stderr
		fresh, err := command.Output()
		if err != nil {
			t.Fatalf("%s: %v", command, err)
		}
		out, _ = rendered.LoadOrStore(key, fresh)
	}
	objects := map[string]manifest{}
	for _, line := range bytes.Split(bytes.TrimSpace(out.([]byte)), []byte("\n")) {
		var object manifest
		if err := json.Unmarshal(line, &object); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		objects[object.Kind+" "+object.Metadata.Name] = object
	}
	return objects
}

func skip(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("OBS_REQUIRE_CLUSTER") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// pod is the container's file system in a folder: every path of the chart begins with
// it, in the files, too.
type pod struct {
	t    *testing.T
	root string
	env  []string
}

// mount lays out what the kubelet would mount into the container of Grafana; edits
// are made in every text file.
func mount(t *testing.T, objects map[string]manifest, edits ...string) *pod {
	t.Helper()
	set, found := objects["StatefulSet "+statefulSet]
	if !found {
		t.Fatalf("the chart has no StatefulSet %s", statefulSet)
	}
	p := &pod{t: t, root: t.TempDir()}
	spec := set.Spec.Template.Spec
	edits = append([]string{"/etc/grafana/", p.root + "/etc/grafana/", "/var/lib/grafana", p.root + "/var/lib/grafana"}, edits...)
	replace := strings.NewReplacer(edits...)
	for _, entry := range spec.Containers[0].Env {
		p.env = append(p.env, entry.Name+"="+replace.Replace(entry.Value))
	}
	p.env = append(p.env, "GF_PATHS_DATA="+p.path("/var/lib/grafana"), "GF_SERVER_HTTP_ADDR=127.0.0.1")
	volumes := map[string]volume{}
	for _, volume := range spec.Volumes {
		volumes[volume.Name] = volume
	}
	for _, at := range spec.Containers[0].VolumeMounts {
		if err := os.MkdirAll(p.path(at.MountPath), 0o755); err != nil {
			t.Fatal(err)
		}
		volume := volumes[at.Name]
		for _, from := range append([]source{volume.source}, volume.Projected.Sources...) {
			for name, text := range from.files(t, objects) {
				p.write(filepath.Join(at.MountPath, name), replace.Replace(text))
			}
		}
	}
	return p
}

// files gives path → text of a ConfigMap or Secret.
func (s source) files(t *testing.T, objects map[string]manifest) map[string]string {
	data, items := map[string]string{}, []struct{ Key, Path string }{}
	switch {
	case s.ConfigMap != nil:
		data, items = objects["ConfigMap "+s.ConfigMap.Name].Data, s.ConfigMap.Items
	case s.Secret != nil:
		secret := objects["Secret "+s.Secret.Name+s.Secret.SecretName]
		data, items = secret.StringData, s.Secret.Items
		for key := range data {
			data[key] = password // rendering makes none up
		}
	}
	if len(items) == 0 {
		return data
	}
	files := map[string]string{}
	for _, item := range items {
		text, found := data[item.Key]
		if !found {
			t.Errorf("there is no key %s for %s", item.Key, item.Path)
		}
		files[item.Path] = text
	}
	return files
}

func (p *pod) path(name string) string { return filepath.Join(p.root, name) }

func (p *pod) read(name string) string {
	p.t.Helper()
	text, err := os.ReadFile(p.path(name))
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text)
}

// write replaces a file at once, as the kubelet does.
func (p *pod) write(name, text string) {
	p.t.Helper()
	path := p.path(name)
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path+".new", []byte(text), 0o644)
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// edit replaces a part of a file that must be there.
func (p *pod) edit(name, old, with string) {
	p.t.Helper()
	text := p.read(name)
	if !strings.Contains(text, old) {
		p.t.Fatalf("%s has no %q:\n%s", name, old, text)
	}
	p.write(name, strings.ReplaceAll(text, old, with))
}
