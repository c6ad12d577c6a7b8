package debian

import (
	"slices"
	"testing"
)

func TestWhatOnlyAnInstallationNeedsIsLeftOut(t *testing.T) {
	tree := Tree{Packages: []string{"redis-server"}, Without: []string{"libllvm*"}}
	got := tree.wanted(`NOTE: This is only a simulation!
Inst libc6 (2.36-9+deb12u10 Debian:12.11/stable [amd64])
Inst perl-base (5.36.0-7 Debian:12.11/stable [amd64])
Inst libfile-find-rule-perl (0.34-4 Debian:12.11/stable [all])
Inst libllvm14 (1:14.0.6-12 Debian:12.11/stable [amd64])
Inst redis-server (5:7.0.15-1 Debian:12.11/stable [amd64])
Conf libc6 (2.36-9+deb12u10 Debian:12.11/stable [amd64])
`)
	if want := []string{"libc6=2.36-9+deb12u10", "redis-server=5:7.0.15-1"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	asked := Tree{Packages: []string{"tar"}}
	if got := asked.wanted("Inst tar (1.34 Debian:12/stable [amd64])\n"); !slices.Equal(got, []string{"tar=1.34"}) {
		t.Errorf("what was asked for by name is left out: %q", got)
	}
}
