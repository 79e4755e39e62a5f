package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
)

// serve receives events from the Lambda Runtime API and posts the result of handle for each. It returns only if the
// Runtime API cannot be reached, which ends the instance.
func serve(handle func(event []byte) (any, error)) error {
	base := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/"
	// No deadline: the request for the next event returns when there is one.
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
		path, body := invoke(handle, event)
		if err := post(client, base+next.Header.Get("Lambda-Runtime-Aws-Request-Id")+path, body); err != nil {
			return err
		}
	}
}

// invoke runs the handler and returns the path and the body for the Runtime API: of a response or of an error.
func invoke(handle func(event []byte) (any, error), event []byte) (path string, body []byte) {
	value, err := handle(event)
	if err == nil {
		body, err = json.Marshal(value)
	}
	if err != nil {
		failure := map[string]string{"errorType": fmt.Sprintf("%T", err), "errorMessage": err.Error()}
		body, _ = json.Marshal(failure) // a map of strings has no error
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
