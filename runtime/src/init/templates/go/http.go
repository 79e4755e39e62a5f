// Answers GET /%FOLDER%?name=Ada.
package main

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	lambda.Start(handle)
}

func handle(request events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	name := request.QueryStringParameters["name"]
	if name == "" {
		name = "world"
	}
	fmt.Println("a greeting for", name)
	body, err := json.Marshal(map[string]string{"message": "Hello, " + name})
	return events.APIGatewayV2HTTPResponse{
		StatusCode: http.StatusOK,
		Headers:    map[string]string{"content-type": "application/json"},
		Body:       string(body),
	}, err
}
