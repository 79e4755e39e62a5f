// Greets each guest whom a message names. A message that cannot be read is reported alone.
package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
)

type guest struct {
	Name string `json:"name"`
}

func main() {
	lambda.Start(handle)
}

func handle(batch events.SQSEvent) (events.SQSEventResponse, error) {
	failed := []events.SQSBatchItemFailure{}
	for _, message := range batch.Records {
		if err := greet(message.Body); err != nil {
			fmt.Println("message", message.MessageId, "failed:", err)
			failed = append(failed, events.SQSBatchItemFailure{ItemIdentifier: message.MessageId})
		}
	}
	return events.SQSEventResponse{BatchItemFailures: failed}, nil
}

func greet(body string) error {
	var named guest
	if err := json.Unmarshal([]byte(body), &named); err != nil {
		return err
	}
	if named.Name == "" {
		return errors.New("it has no name")
	}
	fmt.Println("Hello,", named.Name)
	return nil
}
