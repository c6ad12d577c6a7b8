package store

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"
	"time"
)

// The failures that callers tell apart.
var (
	ErrNotFound = errors.New("not found")
	ErrExists   = errors.New("exists already")
	ErrPassword = errors.New("invalid username or password")
	ErrBlocked  = errors.New("too many consecutive incorrect login attempts for user - login for user temporarily blocked")
)

// User is somebody who may log in.
type User struct {
	ID                      int64
	UID, Login, Email, Name string
	Role                    string // Viewer, Editor or Admin
	ServerAdmin             bool
	Salt, Hash              []byte
	Created, Updated        time.Time
}

const window = 5 * time.Minute // in which failed logins are counted

// EnsureAdmin makes the administrator when there is no user yet, and says whether it did.
func (s *Store) EnsureAdmin(login, email, password string) (bool, error) {
	s.mutex.RLock()
	first := len(s.state.Users) == 0
	s.mutex.RUnlock()
	if !first {
		return false, nil
	}
	_, err := s.AddUser(User{Login: login, Email: email, Role: "Admin", ServerAdmin: true}, password)
	return true, err
}

// AddUser gives the new user with its id.
func (s *Store) AddUser(user User, password string) (User, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.find(user.Login) != nil || user.Email != "" && s.find(user.Email) != nil {
		return User{}, ErrExists
	}
	user.ID, user.UID, user.Created, user.Updated = 1, newUID(), time.Now(), time.Now()
	for _, other := range s.state.Users {
		user.ID = max(user.ID, other.ID+1)
	}
	user.setPassword(password)
	s.state.Users = append(s.state.Users, user)
	return user, s.save()
}

// DeleteUser removes one.
func (s *Store) DeleteUser(id int64) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for i := range s.state.Users {
		if s.state.Users[i].ID == id {
			s.state.Users = append(s.state.Users[:i], s.state.Users[i+1:]...)
			return s.save()
		}
	}
	return ErrNotFound
}

// UserByID finds one.
func (s *Store) UserByID(id int64) (User, error) {
	s.mutex.RLock()
	defer s.mutex.RUnlock()
	for _, user := range s.state.Users {
		if user.ID == id {
			return user, nil
		}
	}
	return User{}, ErrNotFound
}

// UserByLogin finds one by login or mail address.
func (s *Store) UserByLogin(login string) (User, error) {
	s.mutex.RLock()
	defer s.mutex.RUnlock()
	if user := s.find(login); user != nil {
		return *user, nil
	}
	return User{}, ErrNotFound
}

func (s *Store) find(login string) *User {
	for i := range s.state.Users {
		user := &s.state.Users[i]
		if login != "" && (strings.EqualFold(user.Login, login) || strings.EqualFold(user.Email, login)) {
			return user
		}
	}
	return nil
}

// SetPassword changes it.
func (s *Store) SetPassword(id int64, password string) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for i := range s.state.Users {
		if s.state.Users[i].ID == id {
			s.state.Users[i].setPassword(password)
			s.state.Users[i].Updated = time.Now()
			return s.save()
		}
	}
	return ErrNotFound
}

// Login checks a password. After that many failures within five minutes (0: any
// number) even the right one is refused. Like Grafana, it counts for users that exist.
func (s *Store) Login(login, password string, allowed int) (User, error) {
	user, err := s.UserByLogin(login)
	if err != nil {
		return User{}, fmt.Errorf("no user found: %w", err)
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	failed := s.attempts[user.Login]
	for len(failed) > 0 && time.Since(failed[0]) > window {
		failed = failed[1:]
	}
	s.attempts[user.Login] = failed
	if allowed > 0 && len(failed) >= allowed {
		return User{}, ErrBlocked
	}
	if !user.Has(password) {
		s.attempts[user.Login] = append(failed, time.Now())
		return User{}, ErrPassword
	}
	return user, nil
}

func (u *User) setPassword(password string) {
	u.Salt = make([]byte, 16)
	_, _ = rand.Read(u.Salt) // never fails
	u.Hash = hash(password, u.Salt)
}

// Has says whether it is the user's password.
func (u User) Has(password string) bool {
	return subtle.ConstantTimeCompare(hash(password, u.Salt), u.Hash) == 1
}

func hash(password string, salt []byte) []byte {
	sum, err := pbkdf2.Key(sha256.New, password, salt, 10_000, 32)
	if err != nil {
		panic(err) // only for lengths that make no sense
	}
	return sum
}

// newUID is 14 letters and digits.
func newUID() string { return strings.ToLower(rand.Text()[:14]) }
