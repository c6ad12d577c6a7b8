package store

import (
	"crypto/sha256"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Source is a data source.
type Source struct {
	ID                         int64
	UID, Name, Type            string
	Access, URL, User          string
	Database                   string
	BasicAuth, WithCredentials bool
	BasicAuthUser              string
	IsDefault, ReadOnly        bool
	JSONData                   map[string]any
	Secure                     map[string]string `json:"-"` // read again at each start
	Prunable                   bool              // goes when no file has it any longer
	Version                    int64
}

// Sources are all, by name.
func (s *Store) Sources() []Source {
	s.mutex.RLock()
	defer s.mutex.RUnlock()
	return sorted(s.state.Sources, func(source Source) string { return strings.ToLower(source.Name) })
}

// Source finds the one that a question is true of.
func (s *Store) Source(is func(Source) bool) (Source, error) {
	s.mutex.RLock()
	defer s.mutex.RUnlock()
	for _, source := range s.state.Sources {
		if is(source) {
			return source, nil
		}
	}
	return Source{}, ErrNotFound
}

// PutSource makes a data source, or changes the one of that name, and says which.
func (s *Store) PutSource(source Source) (made bool, err error) {
	if source.UID == "" {
		source.UID = SourceUID(source.Name)
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	at := slices.IndexFunc(s.state.Sources, func(other Source) bool { return other.Name == source.Name })
	for i, other := range s.state.Sources {
		if other.UID == source.UID && i != at {
			return false, fmt.Errorf("data source with the same uid already exists: %s", source.UID)
		}
		if source.IsDefault && i != at {
			s.state.Sources[i].IsDefault = false
		}
	}
	if at < 0 {
		source.ID, source.Version = s.nextID(), 1
		s.state.Sources = append(s.state.Sources, source)
		return true, s.save()
	}
	old := s.state.Sources[at]
	source.ID, source.Version = old.ID, old.Version
	if differs(old, source) {
		source.Version++
	}
	s.state.Sources[at] = source
	return false, s.save()
}

// differs leaves out what is not kept over a restart.
func differs(a, b Source) bool {
	a.Secure, b.Secure = nil, nil
	return !reflect.DeepEqual(a, b)
}

// DeleteSources removes those that a question is true of, and gives their names.
func (s *Store) DeleteSources(is func(Source) bool) (names []string, err error) {
	return remove(s, &s.state.Sources, is, func(source Source) string { return source.Name })
}

// SourceUID is the uid of a provisioned data source whose file names none.
func SourceUID(name string) string {
	sum := sha256.Sum256([]byte(name))
	return fmt.Sprintf("P%X", sum[:8])
}
