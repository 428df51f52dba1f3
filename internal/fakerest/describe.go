package fakerest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// describe answers the root with an OpenAPI 2 document, as PostgREST does: the tables and functions
// of the schema that the role may use, and their columns. It leaves out the parameters that are the
// same for every table.
func (s *Server) describe(tx *txn, q *request) (*answer, *Error) {
	type object = map[string]any
	paths, definitions := object{"/": object{"get": object{"summary": "OpenAPI description (this document)"}}}, object{}
	for _, t := range s.db.tableOrder {
		if t.schema != q.schema || !s.db.mayAny(tx.role, t, "select") {
			continue
		}
		verbs := object{}
		for _, verb := range []string{"get", "post", "patch", "delete"} {
			if verb == "get" || t.stored() != nil {
				verbs[verb] = object{"tags": []string{t.name}}
			}
		}
		paths["/"+t.name] = verbs
		definitions[t.name] = s.definition(t)
	}
	for name, list := range s.db.functions {
		if name.schema == q.schema && s.db.mayExecute(tx.role, list[0]) {
			paths["/rpc/"+name.name] = object{"post": object{"tags": []string{"(rpc) " + name.name}}}
		}
	}
	body, err := json.Marshal(object{
		"swagger": "2.0", "basePath": "/", "paths": paths, "definitions": definitions,
		"info": object{"title": "standard public schema", "version": "12.0.2", "description": ""},
	})
	if err != nil {
		return nil, fault("XX000", "%s", err.Error())
	}
	media := "application/openapi+json"
	if q.media.kind == "json" && q.media.name == "application/json" && q.asked {
		media = "application/json"
	}
	return newAnswer(http.StatusOK).typed(media, body), nil
}

// definition describes the columns of a table.
func (s *Server) definition(t *table) map[string]any {
	properties := map[string]any{}
	var required []string
	key := s.db.keyOf(t)
	for i, c := range t.columns {
		p := map[string]any{"format": c.typ.withSize(), "type": jsonTypeOf(c.typ)}
		if c.typ.isJSON() {
			delete(p, "type")
		}
		if c.valueText != "" {
			p["default"] = c.valueText
		}
		var notes []string
		if slices.Contains(key, i) {
			notes = append(notes, "This is a Primary Key.<pk/>")
		}
		for _, f := range t.foreign {
			if len(f.columns) == 1 && f.columns[0] == i {
				target := f.target.columns[f.targets[0]].name
				notes = append(notes, "This is a Foreign Key to `"+f.target.name+"."+target+"`.<fk table='"+f.target.name+"' column='"+target+"'/>")
			}
		}
		if notes != nil {
			p["description"] = "Note:\n" + strings.Join(notes, "\n")
		}
		properties[c.name] = p
		if c.notNull {
			required = append(required, c.name)
		}
	}
	d := map[string]any{"type": "object", "properties": properties}
	if required != nil {
		d["required"] = required
	}
	return d
}

func jsonTypeOf(t *typ) string {
	switch {
	case t.isInt():
		return "integer"
	case t.isNumber():
		return "number"
	case t.kind == kindBool:
		return "boolean"
	case t.kind == kindArray:
		return "array"
	}
	return "string"
}
