package cluster

import (
	"strings"
	"testing"
)

func TestRemovalDeletesOurChainsAndWhatLeadsToThem(t *testing.T) {
	saved := strings.Split(`*nat
:PREROUTING ACCEPT [0:0]
:DOCKER - [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-SVC-A - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A KUBE-SERVICES -d 10.96.0.1/32 -j KUBE-SVC-A
COMMIT
*filter
:FORWARD ACCEPT [0:0]
-A FORWARD -j ACCEPT
COMMIT`, "\n")
	got := removal(saved, map[string]bool{"nat KUBE-SERVICES": true, "nat KUBE-SVC-A": true})
	want := `*nat
-D PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-F KUBE-SERVICES
-F KUBE-SVC-A
-X KUBE-SERVICES
-X KUBE-SVC-A
COMMIT
`
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestNothingOfOursNeedsNoRemoval(t *testing.T) {
	saved := []string{"*nat", ":DOCKER - [0:0]", "-A PREROUTING -j DOCKER", "COMMIT"}
	if got := removal(saved, nil); got != "" {
		t.Errorf("got:\n%s", got)
	}
}
