// Greets each guest whom an entry of the stream names. An entry that cannot be read is reported alone.
package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
)

// entry is an entry of the stream, as the body of a message.
type entry struct {
	Fields struct {
		Name string `json:"name"`
	} `json:"fields"`
}

func main() {
	lambda.Start(handle)
}

func handle(batch events.SQSEvent) (events.SQSEventResponse, error) {
	failed := []events.SQSBatchItemFailure{}
	for _, message := range batch.Records {
		if err := greet(message.Body); err != nil {
			fmt.Println("entry", message.MessageId, "failed:", err)
			failed = append(failed, events.SQSBatchItemFailure{ItemIdentifier: message.MessageId})
		}
	}
	return events.SQSEventResponse{BatchItemFailures: failed}, nil
}

func greet(body string) error {
	var named entry
	if err := json.Unmarshal([]byte(body), &named); err != nil {
		return err
	}
	if named.Fields.Name == "" {
		return errors.New("it has no name")
	}
	fmt.Println("Hello,", named.Fields.Name)
	return nil
}
