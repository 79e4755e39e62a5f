package main

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/aws/aws-lambda-go/events"
)

func TestTheSampleRequestIsGreetedByName(t *testing.T) {
	event, err := os.ReadFile("../../events/%FOLDER%/one.json")
	if err != nil {
		t.Fatal(err)
	}
	var request events.APIGatewayV2HTTPRequest
	if err := json.Unmarshal(event, &request); err != nil {
		t.Fatal(err)
	}
	response, err := handle(request)
	if err != nil || response.StatusCode != 200 || response.Body != `{"message":"Hello, Ada"}` {
		t.Fatalf("%+v, %v", response, err)
	}
}

func TestARequestWithoutANameIsGreeted(t *testing.T) {
	response, err := handle(events.APIGatewayV2HTTPRequest{})
	if err != nil || response.Body != `{"message":"Hello, world"}` {
		t.Fatalf("%+v, %v", response, err)
	}
}
