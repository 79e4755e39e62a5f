package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
)

// serve asks the Lambda Runtime API for events and posts what handle makes of each, for ever. It returns only when the
// Runtime API cannot be reached, which ends the instance.
func serve(handle func(event []byte) (any, error)) error {
	base := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/"
	// No deadline: asking for the next event waits until there is one.
	client := &http.Client{Transport: &http.Transport{}}
	for {
		next, err := client.Get(base + "next")
		if err != nil {
			return err
		}
		event, err := io.ReadAll(next.Body)
		next.Body.Close()
		if err != nil {
			return err
		}
		if next.StatusCode != http.StatusOK {
			return fmt.Errorf("next: %s: %s", next.Status, event)
		}
		path, body := answer(handle, event)
		if err := post(client, base+next.Header.Get("Lambda-Runtime-Aws-Request-Id")+path, body); err != nil {
			return err
		}
	}
}

// answer runs the handler: its answer, or its failure, in the Runtime API's words.
func answer(handle func(event []byte) (any, error), event []byte) (path string, body []byte) {
	value, err := handle(event)
	if err == nil {
		body, err = json.Marshal(value)
	}
	if err != nil {
		failure := map[string]string{"errorType": fmt.Sprintf("%T", err), "errorMessage": err.Error()}
		body, _ = json.Marshal(failure) // two texts can always be written
		return "/error", body
	}
	return "/response", body
}

func post(client *http.Client, url string, body []byte) error {
	reply, err := client.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, reply.Body)
	reply.Body.Close()
	return err
}
