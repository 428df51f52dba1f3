package auth

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// SSOProvider is an identity provider by which the users of some domains sign in.
type SSOProvider struct {
	ID         string
	ResourceID string // the project's own name of it
	Domains    []string
	Disabled   bool
	SAML       SAML
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// SAML is how a provider is spoken to.
type SAML struct {
	EntityID         string           `json:"entity_id"`
	MetadataURL      string           `json:"metadata_url,omitempty"`
	MetadataXML      string           `json:"metadata_xml,omitempty"` // missing in lists
	NameIDFormat     string           `json:"name_id_format,omitempty"`
	AttributeMapping AttributeMapping `json:"attribute_mapping,omitzero"`
}

// AttributeMapping says which claims of a user come from which SAML attributes.
type AttributeMapping struct {
	Keys map[string]Attribute `json:"keys,omitempty"` // by claim
}

// Attribute is the source of a claim.
type Attribute struct {
	Name    string   `json:"name,omitempty"`
	Names   []string `json:"names,omitempty"` // the first that is there
	Default any      `json:"default,omitempty"`
	Array   bool     `json:"array,omitempty"` // all values, not the first
}

// SSOSettings are what is set of a provider. Of a new one, MetadataURL or MetadataXML must be there.
// In an update, what is nil or empty stays as it is, but for AttributeMapping and NameIDFormat,
// which some servers take as they are given, also when they are not: give them always.
type SSOSettings struct {
	MetadataURL      string // https
	MetadataXML      string
	Domains          []string // in an update: nil leaves them, empty takes all away
	AttributeMapping AttributeMapping
	NameIDFormat     string
	ResourceID       string
	Disabled         *bool
}

// UnmarshalJSON reads the server's answer.
func (p *SSOProvider) UnmarshalJSON(data []byte) error {
	var w struct {
		ID         string `json:"id"`
		ResourceID string `json:"resource_id"`
		Disabled   bool   `json:"disabled"`
		SAML       SAML   `json:"saml"`
		Domains    []struct {
			Domain string `json:"domain"`
		} `json:"domains"`
		CreatedAt time.Time `json:"created_at"`
		UpdatedAt time.Time `json:"updated_at"`
	}
	if err := json.Unmarshal(data, &w); err != nil {
		return err
	}
	*p = SSOProvider{
		ID: w.ID, ResourceID: w.ResourceID, Disabled: w.Disabled, SAML: w.SAML,
		CreatedAt: w.CreatedAt, UpdatedAt: w.UpdatedAt,
	}
	for _, d := range w.Domains {
		p.Domains = append(p.Domains, d.Domain)
	}
	return nil
}

type wireSSO struct {
	Type             string           `json:"type,omitempty"`
	MetadataURL      string           `json:"metadata_url,omitempty"`
	MetadataXML      string           `json:"metadata_xml,omitempty"`
	Domains          []string         `json:"domains,omitzero"`
	AttributeMapping AttributeMapping `json:"attribute_mapping,omitzero"`
	NameIDFormat     string           `json:"name_id_format,omitempty"`
	ResourceID       string           `json:"resource_id,omitempty"`
	Disabled         *bool            `json:"disabled,omitempty"`
}

func (s SSOSettings) wire(kind string) wireSSO {
	return wireSSO{kind, s.MetadataURL, s.MetadataXML, s.Domains, s.AttributeMapping, s.NameIDFormat, s.ResourceID, s.Disabled}
}

// SSOProviders gives all providers.
func (a *Admin) SSOProviders(ctx context.Context) ([]SSOProvider, error) {
	var body struct {
		Items []SSOProvider `json:"items"`
	}
	if err := a.c.send(ctx, asAdmin, request{method: http.MethodGet, path: "admin/sso/providers"}, &body); err != nil {
		return nil, err
	}
	if body.Items == nil {
		body.Items = []SSOProvider{}
	}
	return body.Items, nil
}

// CreateSSOProvider adds a provider.
func (a *Admin) CreateSSOProvider(ctx context.Context, s SSOSettings) (*SSOProvider, error) {
	return a.provider(ctx, request{method: http.MethodPost, path: "admin/sso/providers", body: s.wire("saml")})
}

// SSOProvider gives a provider. One that is not there is the error sso_provider_not_found,
// [ErrNotFound].
func (a *Admin) SSOProvider(ctx context.Context, id string) (*SSOProvider, error) {
	path, err := under("admin/sso/providers", id)
	if err != nil {
		return nil, err
	}
	return a.provider(ctx, request{method: http.MethodGet, path: path})
}

// UpdateSSOProvider changes a provider: see [SSOSettings].
func (a *Admin) UpdateSSOProvider(ctx context.Context, id string, s SSOSettings) (*SSOProvider, error) {
	path, err := under("admin/sso/providers", id)
	if err != nil {
		return nil, err
	}
	return a.provider(ctx, request{method: http.MethodPut, path: path, body: s.wire("")})
}

// DeleteSSOProvider deletes a provider, and signs out whoever signed in by it.
func (a *Admin) DeleteSSOProvider(ctx context.Context, id string) error {
	path, err := under("admin/sso/providers", id)
	if err != nil {
		return err
	}
	return a.c.send(ctx, asAdmin, request{method: http.MethodDelete, path: path}, nil)
}

func (a *Admin) provider(ctx context.Context, r request) (*SSOProvider, error) {
	p := new(SSOProvider)
	if err := a.c.send(ctx, asAdmin, r, p); err != nil {
		return nil, err
	}
	return p, nil
}
