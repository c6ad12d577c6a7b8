package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"unicode"

	"devcluster/grafana/internal/store"
)

func (s *Server) routesOfUsers() {
	s.routes.HandleFunc("GET /api/org", s.signedIn(func(w http.ResponseWriter, _ *http.Request, _ store.User) {
		reply(w, http.StatusOK, object{"id": 1, "name": "Main Org.", "address": object{
			"address1": "", "address2": "", "city": "", "zipCode": "", "state": "", "country": "",
		}})
	}))
	s.routes.HandleFunc("GET /api/user", s.signedIn(func(w http.ResponseWriter, _ *http.Request, user store.User) {
		reply(w, http.StatusOK, profile(user))
	}))
	s.routes.HandleFunc("PUT /api/user/password", s.signedIn(s.changeOwnPassword))
	s.routes.HandleFunc("GET /api/users/lookup", s.may("users:read", false, s.lookup))
	s.routes.HandleFunc("GET /api/users/{id}", s.may("users:read", false, s.user))
	s.routes.HandleFunc("POST /api/admin/users", s.may("users:create", false, s.createUser))
	s.routes.HandleFunc("DELETE /api/admin/users/{id}", s.may("users:delete", false, s.deleteUser))
	s.routes.HandleFunc("PUT /api/admin/users/{id}/password", s.may("users.password:write", false, s.setPassword))
}

func profile(u store.User) object {
	return object{
		"id": u.ID, "uid": u.UID, "email": u.Email, "name": u.Name, "login": u.Login, "theme": "", "orgId": 1,
		"isGrafanaAdmin": u.ServerAdmin, "isDisabled": false, "isExternal": false, "isExternallySynced": false,
		"isGrafanaAdminExternallySynced": false, "authLabels": nil, "updatedAt": u.Updated, "createdAt": u.Created,
		"avatarUrl": "", "isProvisioned": false,
	}
}

func (s *Server) lookup(w http.ResponseWriter, r *http.Request, _ store.User) {
	user, err := s.store.UserByLogin(r.URL.Query().Get("loginOrEmail"))
	if err != nil {
		say(w, http.StatusNotFound, "user not found")
		return
	}
	reply(w, http.StatusOK, profile(user))
}

func (s *Server) user(w http.ResponseWriter, r *http.Request, _ store.User) {
	id, ok := number(w, r)
	if !ok {
		return
	}
	user, err := s.store.UserByID(id)
	if err != nil {
		say(w, http.StatusNotFound, "user not found")
		return
	}
	reply(w, http.StatusOK, profile(user))
}

func (s *Server) createUser(w http.ResponseWriter, r *http.Request, _ store.User) {
	var form struct{ Name, Email, Login, Password string }
	if !body(w, r, &form) {
		return
	}
	if form.Login == "" {
		form.Login = form.Email
	}
	if form.Login == "" {
		say(w, http.StatusBadRequest, "Validation error, need to specify either username or email")
		return
	}
	if !s.acceptable(w, form.Password) {
		return
	}
	user, err := s.store.AddUser(store.User{Login: form.Login, Email: form.Email, Name: form.Name, Role: "Viewer"}, form.Password)
	switch {
	case errors.Is(err, store.ErrExists):
		say(w, http.StatusPreconditionFailed, "User with email '"+form.Email+"' or username '"+form.Login+"' already exists")
	case err != nil:
		s.fail(w, err, "failed to create user")
	default:
		reply(w, http.StatusOK, object{"id": user.ID, "uid": user.UID, "message": "User created"})
	}
}

func (s *Server) deleteUser(w http.ResponseWriter, r *http.Request, _ store.User) {
	id, ok := number(w, r)
	if !ok {
		return
	}
	if err := s.store.DeleteUser(id); errors.Is(err, store.ErrNotFound) {
		say(w, http.StatusNotFound, "user not found")
	} else if err != nil {
		s.fail(w, err, "Failed to delete user")
	} else {
		say(w, http.StatusOK, "User deleted")
	}
}

func (s *Server) setPassword(w http.ResponseWriter, r *http.Request, _ store.User) {
	id, ok := number(w, r)
	var form struct{ Password string }
	if !ok || !body(w, r, &form) || !s.acceptable(w, form.Password) {
		return
	}
	if err := s.store.SetPassword(id, form.Password); errors.Is(err, store.ErrNotFound) {
		say(w, http.StatusNotFound, "user not found")
	} else if err != nil {
		s.fail(w, err, "Failed to update user password")
	} else {
		say(w, http.StatusOK, "User password updated")
	}
}

func (s *Server) changeOwnPassword(w http.ResponseWriter, r *http.Request, user store.User) {
	var form struct{ OldPassword, NewPassword string }
	if !body(w, r, &form) {
		return
	}
	if !user.Has(form.OldPassword) {
		say(w, http.StatusUnauthorized, "Invalid old password")
		return
	}
	if !s.acceptable(w, form.NewPassword) {
		return
	}
	if err := s.store.SetPassword(user.ID, form.NewPassword); err != nil {
		s.fail(w, err, "Failed to change user password")
		return
	}
	say(w, http.StatusOK, "User password changed")
}

// acceptable refuses passwords of less than four characters, and with
// [auth.basic] password_policy those that are not long and mixed.
func (s *Server) acceptable(w http.ResponseWriter, password string) bool {
	if !s.settings.PasswordPolicy {
		if len(password) >= 4 {
			return true
		}
		sayID(w, http.StatusBadRequest, "password.password-policy-too-short", "New password is too short")
		return false
	}
	has := func(is func(rune) bool) bool { return strings.ContainsFunc(password, is) }
	symbol := func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) && !unicode.IsSpace(c) }
	if len(password) >= 12 && has(unicode.IsUpper) && has(unicode.IsLower) && has(unicode.IsDigit) && has(symbol) {
		return true
	}
	sayID(w, http.StatusBadRequest, "password.password-policy-infringe", "New password doesn't comply with the password policy")
	return false
}

func (s *Server) fail(w http.ResponseWriter, err error, message string) {
	of(w).reason = err
	say(w, http.StatusInternalServerError, message)
}

// body reads JSON.
func body(w http.ResponseWriter, r *http.Request, into any) bool {
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(into); err != nil {
		of(w).reason = err
		say(w, http.StatusBadRequest, "bad request data")
		return false
	}
	return true
}

func number(w http.ResponseWriter, r *http.Request) (int64, bool) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		say(w, http.StatusBadRequest, "id is invalid")
	}
	return id, err == nil
}
