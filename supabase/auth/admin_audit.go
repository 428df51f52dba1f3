package auth

import (
	"context"
	"iter"
	"net/url"
	"time"
)

// AuditEntry is one thing that somebody did.
type AuditEntry struct {
	ID        string         `json:"id"`
	Payload   map[string]any `json:"payload"` // action, actor_id, actor_username, log_type, traits, …
	CreatedAt time.Time      `json:"created_at,omitzero"`
	IPAddress string         `json:"ip_address"`
}

// AuditFilter picks entries by one of their fields; the zero value picks all.
type AuditFilter struct {
	By    AuditField
	Value string // a part of what the field holds
}

// AuditField is a field that entries can be picked by.
type AuditField string

// Fields that entries can be picked by.
const (
	AuditAuthor AuditField = "author" // the name of who did it
	AuditAction AuditField = "action"
	AuditType   AuditField = "type" // of the action: account, team, token, user, …
)

// AuditPage is a part of the audit log, the newest entries first.
type AuditPage struct {
	Entries []AuditEntry
	Listed
}

// AuditLog gives a page of what was done.
func (a *Admin) AuditLog(ctx context.Context, filter AuditFilter, page Page) (*AuditPage, error) {
	entries := []AuditEntry{}
	var query url.Values
	if filter.By != "" {
		query = url.Values{"query": {string(filter.By) + ":" + filter.Value}}
	}
	l, err := a.list(ctx, "admin/audit", page, query, &entries)
	if err != nil {
		return nil, err
	}
	return &AuditPage{entries, l}, nil
}

// WholeAuditLog gives all entries, the newest first, page after page; those that are written
// meanwhile are not given. After an error it ends.
func (a *Admin) WholeAuditLog(ctx context.Context, filter AuditFilter) iter.Seq2[*AuditEntry, error] {
	return every(func(number int) ([]AuditEntry, Listed, error) {
		p, err := a.AuditLog(ctx, filter, Page{number, pageSize})
		if err != nil {
			return nil, Listed{}, err
		}
		return p.Entries, p.Listed, nil
	}, func(e *AuditEntry) string { return e.ID })
}
