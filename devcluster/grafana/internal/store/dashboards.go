package store

import (
	"slices"
	"strings"
	"time"
)

// Dashboard is one that a file provisions.
type Dashboard struct {
	ID               int64
	UID, Title       string
	Description      string
	FolderUID        string // "" at the root
	Tags             []string
	Provider, File   string // whose, and which file below its path
	Sum              string // of the file
	Version          int64
	Created, Updated time.Time
	Body             map[string]any `json:"-"`
}

// Dashboards are all that are loaded, by title.
func (s *Store) Dashboards() []Dashboard {
	s.mutex.RLock()
	defer s.mutex.RUnlock()
	loaded := slices.DeleteFunc(slices.Clone(s.state.Dashboards), func(d Dashboard) bool { return d.Body == nil })
	return sorted(loaded, func(d Dashboard) string { return strings.ToLower(d.Title) })
}

// Dashboard finds one by its uid.
func (s *Store) Dashboard(uid string) (Dashboard, error) {
	s.mutex.RLock()
	defer s.mutex.RUnlock()
	for _, dashboard := range s.state.Dashboards {
		if dashboard.UID == uid && dashboard.Body != nil {
			return dashboard, nil
		}
	}
	return Dashboard{}, ErrNotFound
}

// PutDashboard saves what a file has. A file whose dashboard has no uid keeps the one
// that was made up for it.
func (s *Store) PutDashboard(d Dashboard) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if d.UID == "" {
		for _, old := range s.state.Dashboards {
			if old.Provider == d.Provider && old.File == d.File {
				d.UID = old.UID
			}
		}
		if d.UID == "" {
			d.UID = newUID()
		}
	}
	// The file had another uid before.
	s.state.Dashboards = slices.DeleteFunc(s.state.Dashboards, func(old Dashboard) bool {
		return old.UID != d.UID && old.Provider == d.Provider && old.File == d.File
	})
	at := slices.IndexFunc(s.state.Dashboards, func(old Dashboard) bool { return old.UID == d.UID })
	if at < 0 {
		d.ID, d.Version, d.Created, d.Updated = s.nextID(), 1, time.Now(), time.Now()
		s.state.Dashboards = append(s.state.Dashboards, d)
		return s.save()
	}
	old := s.state.Dashboards[at]
	d.ID, d.Version, d.Created, d.Updated = old.ID, old.Version, old.Created, old.Updated
	if old.Sum != d.Sum || old.FolderUID != d.FolderUID {
		d.Version, d.Updated = old.Version+1, time.Now()
	}
	s.state.Dashboards[at] = d
	return s.save()
}

// DeleteDashboards removes those that a question is true of, and gives their files.
func (s *Store) DeleteDashboards(is func(Dashboard) bool) (files []string, err error) {
	return remove(s, &s.state.Dashboards, is, func(d Dashboard) string { return d.File })
}
