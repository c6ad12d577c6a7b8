package cluster

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"devcluster/internal/place"
	"devcluster/internal/talk"
)

// holder says who has the one node that fits on a machine, and how the machine
// was before. It is kept apart from the cluster's state, which may belong to
// another user or be deleted: cleaning needs nothing else.
type holder struct {
	Name  string `json:"name"`
	Dir   string `json:"dir"` // state folder
	User  int    `json:"uid"`
	Saved before `json:"before"`
}

// before is what the machine was like.
type before struct {
	Sysctls map[string]string `json:"sysctls"`
	Chains  []string          `json:"chains"` // of iptables, "<program> <table> <chain>"
	Absent  []string          `json:"absent"` // paths that did not exist
	Logs    []string          `json:"logs"`   // entries of /var/log/pods
}

var holderFile = filepath.Join(place.Run, "node.json")

func lockNode() (func(), error) {
	return place.Lock(filepath.Join(place.Run, "node.lock"), func() {
		talk.Sayf("another devcluster starts or stops the machine's node; waiting for it")
	})
}

func loadHolder() *holder {
	data, err := os.ReadFile(holderFile)
	if err != nil {
		return nil
	}
	h := &holder{}
	if json.Unmarshal(data, h) != nil || h.Name == "" {
		return nil
	}
	return h
}

// cluster is the holder's cluster; one without processes if its state is gone.
func (h *holder) cluster() *Cluster {
	c, err := load(h.Dir, h.Name)
	if c == nil || err != nil {
		c = &Cluster{Name: h.Name, dir: h.Dir}
	}
	return c
}

func (h *holder) alive() bool {
	c := h.cluster()
	return len(c.Processes) > len(c.Dead())
}

func (h *holder) String() string {
	return fmt.Sprintf("cluster %s (user %d, state in %s)", h.Name, h.User, h.Dir)
}

func (h *holder) is(c *Cluster) bool { return h.Dir == c.Dir() }

// ForeignHolder describes the machine's node if it is not of this state folder.
func ForeignHolder() string {
	if h := loadHolder(); h != nil && h.Dir != place.Cluster(h.Name) && h.alive() {
		return h.String()
	}
	return ""
}

// claimNode sees that no other node is on the machine: none of ours, and none of
// another Kubernetes, since two kube-proxies overwrite each other's rules.
func claimNode(c *Cluster) error {
	if h := loadHolder(); h != nil {
		if !h.is(c) && h.alive() {
			return talk.Failf("the machine has a node already: %s", h).
				Hinted("use that one (--name %s), end it (devcluster down --name %s), or start a cluster without a node (--no-node)", h.Name, h.Name)
		}
		talk.Sayf("cleaning up after the node of %s", h)
		if err := h.cluster().clean(); err != nil {
			return err
		}
	}
	for _, port := range []int{10250, 10248, 10249, 10256} {
		host := "127.0.0.1"
		if err := free(host, port); err != nil {
			return talk.Failf("port %d, which a node needs, is in use: another kubernetes seems to run on this machine", port).
				Hinted("see `ss -ltnp | grep %d`; a cluster without a node works here: --no-node", port)
		}
	}
	for _, chain := range ownChains(nil) {
		if strings.Contains(chain, "KUBE-SERVICES") {
			return talk.Failf("the machine has iptables rules of another kubernetes (%s)", chain).
				Hinted("end it, or use a cluster without a node: --no-node")
		}
	}
	return nil
}

func recordHolder(c *Cluster) error {
	h := holder{Name: c.Name, Dir: c.Dir(), User: os.Getuid(), Saved: inspectMachine()}
	data, err := json.MarshalIndent(h, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(place.Run, 0o755); err != nil {
		return err
	}
	return os.WriteFile(holderFile, data, 0o644)
}
