package fakeauth

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// An auditEntry is something that a user did, or that was done to one.
type auditEntry struct {
	ID        string         `json:"id"`
	Payload   map[string]any `json:"payload"`
	CreatedAt time.Time      `json:"created_at"`
	IPAddress string         `json:"ip_address"`
}

// auditTypes is what each action is about.
var auditTypes = map[string]string{
	"login": "account", "logout": "account", "invite_accepted": "account", "user_signedup": "team", "user_invited": "team",
	"user_deleted": "team", "user_modified": "user", "user_recovery_requested": "user", "user_reauthenticate_requested": "user",
	"user_confirmation_requested": "user", "user_repeated_signup": "user", "user_updated_password": "user",
	"token_revoked": "token", "token_refreshed": "token", "factor_in_progress": "factor", "factor_unenrolled": "factor",
	"challenge_created": "factor", "verification_attempted": "factor", "identity_unlinked": "user",
}

// note writes an entry. An admin is who acts if the call came through admin.
func (s *Server) note(c *call, u *user, action string) {
	actor := map[string]any{
		"action": action, "log_type": auditTypes[action], "actor_via_sso": false,
		"actor_id": u.id, "actor_username": u.email,
	}
	if u.email == "" {
		actor["actor_username"] = u.phone
	}
	if c.admin {
		actor["actor_id"], actor["actor_username"] = "00000000-0000-0000-0000-000000000000", "service_role"
		actor["traits"] = map[string]any{"user_id": u.id, "user_email": u.email, "user_phone": u.phone}
	}
	s.audit = append(s.audit, auditEntry{newUUID(), actor, s.now(), c.client()})
}

// auditLog answers with a page, the newest first.
func (s *Server) auditLog(c *call) error {
	field, value, filtered := strings.Cut(c.r.URL.Query().Get("query"), ":")
	name := map[string]string{"author": "actor_username", "action": "action", "type": "log_type"}[field]
	if filtered && name == "" {
		return invalid("Invalid query scope: " + field)
	}
	var found []auditEntry
	for _, e := range slices.Backward(s.audit) {
		text, _ := e.Payload[name].(string)
		if !filtered || strings.Contains(strings.ToLower(text), strings.ToLower(value)) {
			found = append(found, e)
		}
	}
	from, to, err := c.paginate(len(found))
	if err != nil {
		return err
	}
	return c.answer(append([]auditEntry{}, found[from:to]...))
}

// paginate reads which part of a list is asked for, and writes the headers that lead to the others.
func (c *call) paginate(total int) (from, to int, err error) {
	q := c.r.URL.Query()
	page, err := positive(q.Get("page"), 1)
	if err != nil {
		return 0, 0, invalid("Bad Pagination Parameters: " + err.Error())
	}
	per, err := positive(q.Get("per_page"), 50)
	if err != nil {
		return 0, 0, invalid("Bad Pagination Parameters: " + err.Error())
	}
	pages := (total + per - 1) / per
	link := func(page int, rel string) string {
		q := c.r.URL.Query()
		q.Set("page", strconv.Itoa(page))
		return "<" + c.r.URL.Path + "?" + q.Encode() + `>; rel="` + rel + `"`
	}
	links := link(pages, "last")
	if page < pages {
		links = link(page+1, "next") + ", " + links
	}
	c.w.Header().Set("X-Total-Count", strconv.Itoa(total))
	c.w.Header().Set("Link", links)
	if page > pages {
		return total, total, nil
	}
	from = (page - 1) * per
	return from, min(from+per, total), nil
}
