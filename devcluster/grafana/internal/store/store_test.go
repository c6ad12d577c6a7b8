package store

import (
	"errors"
	"slices"
	"testing"
)

func TestARestartFindsUsersAndVersionsAgain(t *testing.T) {
	dir := t.TempDir()
	open := func() *Store {
		s, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	put := func(s *Store, sum string) Dashboard {
		if err := s.PutDashboard(Dashboard{UID: "a", Title: "A", Provider: "p", File: "a.json", Sum: sum, Body: map[string]any{}}); err != nil {
			t.Fatal(err)
		}
		d, err := s.Dashboard("a")
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	s := open()
	if made, err := s.EnsureAdmin("admin", "admin@localhost", "first"); err != nil || !made {
		t.Fatal(made, err)
	}
	if d := put(s, "1"); d.Version != 1 {
		t.Errorf("version %d", d.Version)
	}
	s = open()
	if made, err := s.EnsureAdmin("admin", "admin@localhost", "second"); err != nil || made {
		t.Errorf("made again: %v %v", made, err)
	}
	if _, err := s.Login("admin", "first", 5); err != nil {
		t.Error(err)
	}
	if _, err := s.Login("ADMIN@localhost", "second", 5); !errors.Is(err, ErrPassword) {
		t.Error(err)
	}
	if _, err := s.Dashboard("a"); !errors.Is(err, ErrNotFound) {
		t.Error("a dashboard is there before its file was read")
	}
	if d := put(s, "1"); d.Version != 1 {
		t.Errorf("the same file became version %d", d.Version)
	}
	if d := put(s, "2"); d.Version != 2 {
		t.Errorf("a changed file became version %d", d.Version)
	}
}

func TestAFileThatChangesItsUIDReplacesItsDashboard(t *testing.T) {
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, uid := range []string{"a", "b"} {
		if err := s.PutDashboard(Dashboard{UID: uid, Title: "A", Provider: "p", File: "a.json", Body: map[string]any{}}); err != nil {
			t.Fatal(err)
		}
	}
	if all := s.Dashboards(); len(all) != 1 || all[0].UID != "b" {
		t.Errorf("%+v", all)
	}
}

func TestWhatIsDeletedIsNamedAndStaysAway(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b", "c"} {
		if _, err := s.PutSource(Source{Name: name, UID: name}); err != nil {
			t.Fatal(err)
		}
		if err := s.PutDashboard(Dashboard{UID: name, Title: name, Provider: "p", File: name + ".json"}); err != nil {
			t.Fatal(err)
		}
	}
	sources, err := s.DeleteSources(func(source Source) bool { return source.Name != "b" })
	if err != nil || !slices.Equal(sources, []string{"a", "c"}) {
		t.Error(sources, err)
	}
	files, err := s.DeleteDashboards(func(d Dashboard) bool { return d.UID == "b" })
	if err != nil || !slices.Equal(files, []string{"b.json"}) {
		t.Error(files, err)
	}
	if none, err := s.DeleteSources(func(Source) bool { return false }); none != nil || err != nil {
		t.Error(none, err)
	}
	again, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if left := again.Sources(); len(left) != 1 || left[0].Name != "b" {
		t.Errorf("%+v", left)
	}
	if left := again.state.Dashboards; len(left) != 2 {
		t.Errorf("%+v", left)
	}
}

func TestAUIDIsMadeOfTheName(t *testing.T) {
	// As Grafana's documentation and many installations show it.
	if uid := SourceUID("Prometheus"); uid != "PBFA97CFB590B2093" {
		t.Error(uid)
	}
}
