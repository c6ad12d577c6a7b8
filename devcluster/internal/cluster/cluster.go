// Package cluster starts, finds and stops clusters: the control plane, and for
// one cluster per machine a node.
package cluster

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"time"

	"devcluster/internal/place"
	"devcluster/internal/process"
	"devcluster/internal/talk"
)

// Names that clusters have if none is given.
const (
	DefaultNode   = "dev"
	DefaultNoNode = "api"
)

// Cluster is what is known about one cluster; cluster.json in its state folder.
// It is written before the first process starts and after each one, so that
// whatever is interrupted can be cleaned.
type Cluster struct {
	Name      string        `json:"name"`
	Node      bool          `json:"node"`
	Server    string        `json:"server"`
	Ports     ports         `json:"ports"`
	Created   time.Time     `json:"created"`
	Ready     bool          `json:"ready"`
	ByWith    bool          `json:"byWith"` // ends with the last `with` that uses it
	Processes []process.Ref `json:"processes"`

	dir string // state folder, if it is another user's
}

var validName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,28}[a-z0-9])?$`)

// CheckName refuses what cannot be a folder, a host name and part of a context.
func CheckName(name string) error {
	if !validName.MatchString(name) || name == "locks" {
		return talk.Failf("%q cannot be the name of a cluster", name).
			Hinted("use up to 30 lower-case letters, digits and hyphens")
	}
	return nil
}

// Dir is the state folder.
func (c *Cluster) Dir(parts ...string) string {
	dir := c.dir
	if dir == "" {
		dir = place.Cluster(c.Name)
	}
	return filepath.Join(append([]string{dir}, parts...)...)
}

// Kubeconfig is the file that an administrator uses.
func (c *Cluster) Kubeconfig() string { return c.Dir("kubeconfig") }

// Context is the name of context, cluster and user in the kubeconfig.
func (c *Cluster) Context() string { return "devcluster-" + c.Name }

func (c *Cluster) save() error {
	data, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	file := c.Dir("cluster.json")
	if err := os.WriteFile(file+".new", data, 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// Load finds a cluster by name; nil if there is none.
func Load(name string) (*Cluster, error) { return load(place.Cluster(name), name) }

func load(dir, name string) (*Cluster, error) {
	data, err := os.ReadFile(filepath.Join(dir, "cluster.json"))
	if os.IsNotExist(err) {
		if _, err := os.Stat(dir); err == nil {
			return &Cluster{Name: name, dir: dir}, nil // interrupted before it was recorded
		}
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c := &Cluster{Name: name, dir: dir}
	if err := json.Unmarshal(data, c); err != nil {
		return nil, talk.Failf("%s/cluster.json is damaged: %w", dir, err).
			Hinted("end what is left of the cluster and delete %s", dir)
	}
	return c, nil
}

// All lists the clusters of this user, by name.
func All() (clusters []*Cluster, err error) {
	entries, err := os.ReadDir(place.State())
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	for _, entry := range entries {
		if !entry.IsDir() || CheckName(entry.Name()) != nil {
			continue
		}
		c, err := Load(entry.Name())
		if err != nil {
			return nil, err
		}
		if c != nil {
			clusters = append(clusters, c)
		}
	}
	sort.Slice(clusters, func(i, j int) bool { return clusters[i].Name < clusters[j].Name })
	return clusters, nil
}

// Running gives a cluster that is up, or says which ones are.
func Running(name string) (*Cluster, error) {
	c, err := Load(name)
	if err != nil {
		return nil, err
	}
	if c != nil && c.Ready && len(c.Dead()) == 0 {
		return c, nil
	}
	reason := fmt.Sprintf("cluster %s is not running", name)
	if c != nil && len(c.Dead()) > 0 {
		reason = fmt.Sprintf("cluster %s is damaged: %s is gone", name, c.Dead()[0])
	}
	hint := "start it: devcluster up --name " + name
	others, _ := All()
	for _, other := range others {
		if other.Name != name && other.Ready && len(other.Dead()) == 0 {
			hint += fmt.Sprintf("; or use the one that runs: --name %s", other.Name)
			break
		}
	}
	return nil, talk.Failf("%s", reason).Hinted("%s", hint)
}

// Dead names the processes that should run and do not.
func (c *Cluster) Dead() (names []string) {
	for _, ref := range c.Processes {
		if !ref.Alive() {
			names = append(names, ref.Name)
		}
	}
	return names
}

// State is one word for a person.
func (c *Cluster) State() string {
	switch {
	case len(c.Processes) > 0 && len(c.Dead()) == len(c.Processes):
		return "dead"
	case len(c.Dead()) > 0:
		return "damaged"
	case c.Ready:
		return "ready"
	default:
		return "starting"
	}
}

func (c *Cluster) lock() (release func(), err error) {
	return place.Lock(filepath.Join(place.State(), "locks", c.Name), func() {
		talk.Sayf("another devcluster starts or stops cluster %s; waiting for it", c.Name)
	})
}
