package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestPagesAreReadInOrderAndMistakesReported(t *testing.T) {
	pages, err := parsePages(" a=http://x/?q=1  b=https://y ")
	if err != nil || len(pages) != 2 || pages[0].address != "http://x/?q=1" || pages[1].name != "b" {
		t.Fatal(pages, err)
	}
	for _, wrong := range []string{"", "a", "=http://x", "a=ftp://x"} {
		if _, err := parsePages(wrong); err == nil || !strings.Contains(err.Error(), "name=http://address") {
			t.Errorf("%q: %v", wrong, err)
		}
	}
}

func TestAPageIsUpBelow400(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/gone" {
			w.WriteHeader(http.StatusGone)
		}
	}))
	defer server.Close()
	pages := []page{{"good", server.URL}, {"gone", server.URL + "/gone"}, {"away", "http://127.0.0.1:1/"}}
	found := checkAll(http.DefaultClient, pages)
	if !found[0].Up || found[1].Up || found[1].Status != http.StatusGone || found[2].Up || found[2].Error == "" {
		t.Fatal(found)
	}
	if _, err := checkAndLog(http.DefaultClient, pages); err == nil || err.Error() != "down: gone, away" {
		t.Fatal(err)
	}
}
