package main

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/aws/aws-lambda-go/events"
)

func answer(t *testing.T, file string) string {
	event, err := os.ReadFile("../../events/%FOLDER%/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var batch events.SQSEvent
	if err := json.Unmarshal(event, &batch); err != nil {
		t.Fatal(err)
	}
	answered, err := handle(batch)
	if err != nil {
		t.Fatal(err)
	}
	response, err := json.Marshal(answered)
	if err != nil {
		t.Fatal(err)
	}
	return string(response)
}

func TestAGoodMessageIsDone(t *testing.T) {
	if response := answer(t, "one.json"); response != `{"batchItemFailures":[]}` {
		t.Fatal(response)
	}
}

func TestABadMessageFailsAlone(t *testing.T) {
	if response := answer(t, "one-bad.json"); response != `{"batchItemFailures":[{"itemIdentifier":"%BAD_ID%"}]}` {
		t.Fatal(response)
	}
}
