package main

import (
	"encoding/json"
	"os"
	"testing"
)

func TestTheSampleTickIsHandled(t *testing.T) {
	text, err := os.ReadFile("../../events/%FOLDER%/one.json")
	if err != nil {
		t.Fatal(err)
	}
	var event tick
	if err := json.Unmarshal(text, &event); err != nil {
		t.Fatal(err)
	}
	if event.Time != "2026-01-01T00:00:00Z" {
		t.Fatal(event)
	}
	if err := handle(event); err != nil {
		t.Fatal(err)
	}
}

func TestAnEventWithoutATimeFails(t *testing.T) {
	if handle(tick{}) == nil {
		t.Fatal("it succeeded")
	}
}
