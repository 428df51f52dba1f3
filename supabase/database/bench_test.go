package database_test

import (
	"fmt"
	"net/url"
	"testing"

	"github.com/streamconn/streamconn/supabase/database"
)

func BenchmarkChain(b *testing.B) {
	b.Run("build", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = table("users").Select("name, teams(name)").Gte("age", 18).Lt("age", 65).Order("created_at", database.Desc)
		}
	})
	b.Run("build and key", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = table("users").Select("name, teams(name)").Gte("age", 18).Lt("age", 65).Order("created_at", database.Desc).Key()
		}
	})
	b.Run("by hand", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			v := url.Values{}
			v.Set("select", "name,teams(name)")
			v.Add("age", fmt.Sprintf("gte.%v", 18))
			v.Add("age", fmt.Sprintf("lt.%v", 65))
			v.Set("order", "created_at.desc")
			_ = "/users?" + v.Encode()
		}
	})
	b.Run("key of a kept query", func(b *testing.B) {
		b.ReportAllocs()
		kept := table("users").Select("name, teams(name)").Gte("age", 18)
		for b.Loop() {
			_, _ = kept.Key()
		}
	})
}
