// Package store keeps what Grafana keeps in its database: users, data sources,
// folders and dashboards. It is one file in the data folder, so that a restart
// finds again what was there, above all the administrator's password.
package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Store is safe for several goroutines; what it gives are copies.
type Store struct {
	mutex sync.RWMutex
	path  string
	state state

	attempts map[string][]time.Time // of logins that failed, by login
}

// state is what the file has: of dashboards all but their text, which is read again from
// the files that provision them.
type state struct {
	LastID     int64
	Users      []User
	Sources    []Source
	Folders    []Folder
	Dashboards []Dashboard
}

// Open reads the file of a data folder, or makes it.
func Open(data string) (*Store, error) {
	s := &Store{path: filepath.Join(data, "plays-grafana.json"), attempts: map[string][]time.Time{}}
	if err := os.MkdirAll(data, 0o755); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, s.save()
	}
	if err == nil {
		err = json.Unmarshal(text, &s.state)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.path, err)
	}
	return s, nil
}

// Healthy says whether the file can still be read.
func (s *Store) Healthy() bool {
	file, err := os.Open(s.path)
	if err == nil {
		err = file.Close()
	}
	return err == nil
}

// save writes the file beside its place and renames it. The caller holds the lock,
// or is alone.
func (s *Store) save() error {
	text, err := json.Marshal(s.state)
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.path+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(s.path+".new", s.path)
}

func (s *Store) nextID() int64 {
	s.state.LastID++
	return s.state.LastID
}

// Folder is one for dashboards, at the root.
type Folder struct {
	ID               int64
	UID, Title       string
	Created, Updated time.Time
}

// Folders are all, by title.
func (s *Store) Folders() []Folder {
	s.mutex.RLock()
	defer s.mutex.RUnlock()
	return sorted(s.state.Folders, func(f Folder) string { return f.Title })
}

// EnsureFolder gives the folder of that title, or makes it with that uid; "" is one
// that is made up.
func (s *Store) EnsureFolder(title, uid string) (Folder, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, folder := range s.state.Folders {
		if folder.Title == title {
			return folder, nil
		}
	}
	for i, folder := range s.state.Folders {
		if uid != "" && folder.UID == uid {
			s.state.Folders[i].Title, s.state.Folders[i].Updated = title, time.Now()
			return s.state.Folders[i], s.save()
		}
	}
	if uid == "" {
		uid = newUID()
	}
	folder := Folder{ID: s.nextID(), UID: uid, Title: title, Created: time.Now(), Updated: time.Now()}
	s.state.Folders = append(s.state.Folders, folder)
	return folder, s.save()
}

func sorted[T any](list []T, key func(T) string) []T {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b T) int {
		switch ka, kb := key(a), key(b); {
		case ka < kb:
			return -1
		case ka > kb:
			return 1
		}
		return 0
	})
	return list
}

// remove takes those out of a list of the state that a question is true of, and gives what they are called.
// Where there are none, nothing is written.
func remove[T any](s *Store, list *[]T, is func(T) bool, name func(T) string) (names []string, err error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	*list = slices.DeleteFunc(*list, func(one T) bool {
		gone := is(one)
		if gone {
			names = append(names, name(one))
		}
		return gone
	})
	if len(names) == 0 {
		return nil, nil
	}
	return names, s.save()
}
