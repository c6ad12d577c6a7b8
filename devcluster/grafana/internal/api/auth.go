package api

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"devcluster/grafana/internal/store"
)

const (
	sessionCookie = "grafana_session"
	expiryCookie  = "grafana_session_expiry"
)

var errAnonymous = errors.New("Unauthorized")

// who gives the user of a request, by basic authentication or by the cookie of a login.
func (s *Server) who(r *http.Request) (store.User, error) {
	if login, password, given := r.BasicAuth(); given && s.settings.BasicAuth {
		return s.login("auth.client.basic", login, password)
	}
	if cookie, err := r.Cookie(sessionCookie); err == nil {
		s.mutex.Lock()
		id, known := s.sessions[cookie.Value]
		s.mutex.Unlock()
		if user, err := s.store.UserByID(id); known && err == nil {
			return user, nil
		}
	}
	return store.User{}, errAnonymous
}

func (s *Server) login(client, login, password string) (store.User, error) {
	user, err := s.store.Login(login, password, s.settings.LoginAttempts)
	if err != nil {
		err = fmt.Errorf("[password-auth.failed] %w", err)
		s.authn.Info("Failed to authenticate request", "client", client, "error", err)
	}
	return user, err
}

// of finds what the log line needs under what else is wrapped around an answer.
func of(w http.ResponseWriter) *answer {
	for {
		switch inner := w.(type) {
		case *answer:
			return inner
		case interface{ Unwrap() http.ResponseWriter }:
			w = inner.Unwrap()
		default:
			return &answer{}
		}
	}
}

// foreign says whether another site's page makes a browser send this, with the cookie
// of a login.
func foreign(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if _, err := r.Cookie(sessionCookie); err != nil || origin == "" || r.Method == http.MethodGet || r.Method == http.MethodHead {
		return false
	}
	from, err := url.Parse(origin)
	return err != nil || from.Host != r.Host
}

// signedIn lets only users through.
func (s *Server) signedIn(next func(http.ResponseWriter, *http.Request, store.User)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if foreign(r) {
			say(w, http.StatusForbidden, "origin not allowed")
			return
		}
		user, err := s.who(r)
		if err != nil {
			of(w).reason = err
			refuse(w, err)
			return
		}
		of(w).user = &user
		next(w, r, user)
	}
}

func refuse(w http.ResponseWriter, err error) {
	if errors.Is(err, errAnonymous) {
		say(w, http.StatusUnauthorized, "Unauthorized")
		return
	}
	// Blocked or wrong: nobody is told which.
	sayID(w, http.StatusUnauthorized, "password-auth.failed", "Invalid username or password")
}

// may lets only those through that have a permission: server admins have all, admins
// of the organization those that are not about users of the server.
func (s *Server) may(permission string, admins bool, next func(http.ResponseWriter, *http.Request, store.User)) http.HandlerFunc {
	return s.signedIn(func(w http.ResponseWriter, r *http.Request, user store.User) {
		if !user.ServerAdmin && !(admins && user.Role == "Admin") {
			reply(w, http.StatusForbidden, object{
				"accessErrorId": "ACE" + strconv.FormatInt(time.Now().UnixNano()%1e10, 10),
				"message":       "You'll need additional permissions to perform this action. Permissions needed: " + permission,
				"title":         "Access denied",
			})
			return
		}
		next(w, r, user)
	})
}

// postLogin is what the login page asks for.
func (s *Server) postLogin(w http.ResponseWriter, r *http.Request) {
	var form struct{ User, Password string }
	if json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&form) != nil || form.User == "" {
		say(w, http.StatusBadRequest, "bad login data")
		return
	}
	user, err := s.login("auth.client.form", form.User, form.Password)
	if err != nil {
		of(w).reason = err
		refuse(w, err)
		return
	}
	token := rand.Text()
	s.mutex.Lock()
	s.sessions[token] = user.ID
	s.mutex.Unlock()
	of(w).user = &user
	http.SetCookie(w, s.cookie(sessionCookie, token, 30*24*time.Hour, true))
	http.SetCookie(w, s.cookie(expiryCookie, strconv.FormatInt(time.Now().Add(10*time.Minute).Unix(), 10), 30*24*time.Hour, false))
	reply(w, http.StatusOK, object{"message": "Logged in", "redirectUrl": s.settings.LinkPath + "/"})
}

func (s *Server) logout(w http.ResponseWriter, r *http.Request) {
	if cookie, err := r.Cookie(sessionCookie); err == nil {
		s.mutex.Lock()
		delete(s.sessions, cookie.Value)
		s.mutex.Unlock()
	}
	http.SetCookie(w, s.cookie(sessionCookie, "", -1, true))
	http.SetCookie(w, s.cookie(expiryCookie, "", -1, false))
	http.Redirect(w, r, s.settings.LinkPath+"/login", http.StatusFound)
}

func (s *Server) cookie(name, value string, age time.Duration, httpOnly bool) *http.Cookie {
	cookie := &http.Cookie{
		Name: name, Value: value, Path: s.settings.LinkPath + "/", MaxAge: int(age.Seconds()), HttpOnly: httpOnly, Secure: s.settings.CookieSecure,
		SameSite: map[string]http.SameSite{"lax": http.SameSiteLaxMode, "strict": http.SameSiteStrictMode, "none": http.SameSiteNoneMode}[s.settings.CookieSameSite],
	}
	if s.settings.LinkPath != "" {
		cookie.Path = s.settings.LinkPath
	}
	if age < 0 {
		cookie.MaxAge = -1
	}
	return cookie
}
