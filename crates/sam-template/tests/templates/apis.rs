//! REST APIs, function URLs and quick-created HTTP APIs: what templates say of them.

use sam_template::model::{Api, ApiKind, RestApi, Throttle};

use crate::fixture::{complaints, function, good, warnings};

fn api_events(properties: &str) -> String {
    function(&format!(
        "Events:\n  E: {{Type: Api, Properties: {properties}}}"
    ))
}

fn rest(api: &Api) -> &RestApi {
    let ApiKind::Rest(rest) = &api.kind else {
        panic!("{api:?}")
    };
    rest
}

#[test]
fn api_events_go_to_the_implicit_rest_api_with_the_globals() {
    let text = api_events("{Path: '/a/{proxy+}', Method: any}")
        + "Globals: {Api: {Cors: \"'*'\", BinaryMediaTypes: [image~1png], Variables: {Colour: blue}}}\n";
    let app = good(&text, "");
    let [api] = &app.apis[..] else {
        panic!("{:?}", app.apis)
    };
    assert_eq!(
        (
            api.id.as_str(),
            api.stage.as_str(),
            api.base_path().as_str()
        ),
        ("ServerlessRestApi", "Prod", "/Prod")
    );
    assert_eq!(
        (
            api.routes[0].method.as_str(),
            api.routes[0].timeout.as_secs()
        ),
        ("ANY", 29)
    );
    assert_eq!(rest(api).binary_media_types, ["image/png"]);
    assert_eq!(rest(api).preflight.as_ref().unwrap().origin, "*");
    assert_eq!(api.variables["Colour"], "blue");
}

#[test]
fn an_api_of_the_template_gives_stage_and_cors() {
    let text = api_events(
        "{Path: /a, Method: get, RestApiId: !Ref Shop, Auth: {Authorizer: NONE}}",
    ) + "  Shop:\n    Type: AWS::Serverless::Api\n    Properties:\n      StageName: !Ref \
        Stage\n      Cors: {AllowOrigin: \"'https://a.test'\", AllowMethods: \"'GET'\", AllowHeaders: \"'X-A'\", MaxAge: \"'60'\", AllowCredentials: true}\n\
           Parameters: {Stage: {Type: String, Default: live}}\n";
    let app = good(&text, "");
    assert_eq!(
        (app.apis[0].id.as_str(), app.apis[0].stage.as_str()),
        ("Shop", "live")
    );
    let mock = rest(&app.apis[0]).preflight.clone().unwrap();
    assert_eq!(
        (
            mock.methods.as_deref(),
            mock.headers.as_deref(),
            mock.max_age.as_deref()
        ),
        (Some("GET"), Some("X-A"), Some("60"))
    );
    assert!(mock.credentials);
}

#[test]
fn whatever_guards_a_rest_route_is_refused_with_its_line() {
    let guarded = |auth: &str| {
        api_events("{Path: /a, Method: get, RestApiId: !Ref Shop}")
            + &format!(
                "  Shop:\n    Type: AWS::Serverless::Api\n    Properties:\n      StageName: \
                 live\n      Auth: {auth}\n"
            )
    };
    for (auth, words) in [
        ("{DefaultAuthorizer: AWS_IAM}", "authorizer AWS_IAM"),
        (
            "{DefaultAuthorizer: Mine, Authorizers: {Mine: {FunctionArn: x}}}",
            "authorizer Mine",
        ),
        ("{ApiKeyRequired: true}", "API keys"),
        ("{UsagePlan: {CreateUsagePlan: PER_API}}", "usage plans"),
        (
            "{ResourcePolicy: {IpRangeWhitelist: [1.2.3.4]}}",
            "ResourcePolicy",
        ),
    ] {
        let found = complaints(&guarded(auth), "");
        assert!(
            matches!(&found[..], [(15, text)] if text.contains(words)),
            "{auth}: {found:?}"
        );
    }
    for auth in ["{Authorizer: AWS_IAM}", "{ApiKeyRequired: true}"] {
        let found = complaints(
            &api_events(&format!("{{Path: /a, Method: get, Auth: {auth}}}")),
            "",
        );
        assert!(
            matches!(&found[..], [(10, text)] if text.contains("unprotected")),
            "{auth}: {found:?}"
        );
    }
    good(
        &guarded("{DefaultAuthorizer: !If [Cloud, AWS_IAM, !Ref AWS::NoValue]}").replace(
            "Resources:",
            "Conditions: {Cloud: !Equals [a, b]}\nResources:",
        ),
        "",
    );
}

#[test]
fn a_function_url_gets_an_address_of_its_own() {
    let app = good(
        &function("FunctionUrlConfig: {AuthType: NONE, Cors: {AllowOrigins: ['*']}}"),
        "",
    );
    let [api] = &app.apis[..] else {
        panic!("{:?}", app.apis)
    };
    assert_eq!(
        (api.id.as_str(), &api.kind, api.routes[0].path.as_str()),
        ("WorkerUrl", &ApiKind::FunctionUrl, "$default")
    );
    assert_eq!(api.cors.as_ref().unwrap().origins, ["*"]);
    for (config, words) in [
        ("{AuthType: AWS_IAM}", "would be unprotected"),
        ("{}", "has no AuthType"),
        (
            "{AuthType: NONE, InvokeMode: FAST}",
            "BUFFERED or RESPONSE_STREAM",
        ),
    ] {
        let found = complaints(&function(&format!("FunctionUrlConfig: {config}")), "");
        assert!(
            matches!(&found[..], [(9, text)] if text.contains(words)),
            "{config}: {found:?}"
        );
    }
    let streaming = good(
        &function("FunctionUrlConfig: {AuthType: NONE, InvokeMode: RESPONSE_STREAM}"),
        "",
    );
    assert!(streaming.apis.is_empty() && warnings(&streaming).contains("not streamed"));
}

#[test]
fn an_http_api_made_in_one_piece_sends_everything_to_its_target() {
    let quick = |target: &str| {
        function("")
            + &format!(
                "  Quick: {{Type: 'AWS::ApiGatewayV2::Api', Properties: {{Name: x, ProtocolType: \
                 HTTP, Target: {target}}}}}\n"
            )
    };
    for target in [
        "!GetAtt Worker.Arn",
        "!Sub 'arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Worker.Arn}/invocations'",
    ] {
        let app = good(&quick(target), "");
        let route = &app.apis[0].routes[0];
        assert_eq!(
            (
                app.apis[0].id.as_str(),
                route.path.as_str(),
                route.function.as_str()
            ),
            ("Quick", "$default", "Worker")
        );
    }
    let elsewhere = good(&quick("https://backend.example"), "");
    assert!(
        elsewhere.apis.is_empty() && warnings(&elsewhere).contains("no function of this template")
    );
}

#[test]
fn an_event_of_an_api_that_is_not_served_is_left_out() {
    let text = api_events("{Path: /a, Method: get, RestApiId: !Ref Raw}")
        + "  Raw: {Type: 'AWS::ApiGateway::RestApi'}\n";
    let app = good(&text, "");
    assert!(
        app.apis.is_empty() && warnings(&app).contains("`usher invoke Worker`"),
        "{}",
        warnings(&app)
    );
}

#[test]
fn limits_of_routes_are_read_where_templates_write_them() {
    let limits = |app: &sam_template::model::Application| -> Vec<(String, Option<Throttle>)> {
        app.apis[0]
            .routes
            .iter()
            .map(|route| (route.key(), app.apis[0].throttling.of(route)))
            .collect()
    };
    let limit = |rate_milli, burst| Some(Throttle { rate_milli, burst });
    let http = |events: &str| {
        function(&format!(
            "Events:\n  A: {{Type: HttpApi, Properties: {{Path: /a, Method: get, ApiId: !Ref \
             Shop}}}}\n  B: {{Type: HttpApi, Properties: {{Path: /b, Method: get, ApiId: !Ref \
             Shop{events}}}}}"
        ))
    };
    let shop = "  Shop:\n    Type: AWS::Serverless::HttpApi\n    Properties:\n";
    let text = http(", RouteSettings: {ThrottlingBurstLimit: 7}")
        + shop
        + "      DefaultRouteSettings: \
            {DetailedMetricsEnabled: true, ThrottlingRateLimit: !Ref Rate, ThrottlingBurstLimit: 3}\n\
           Parameters: {Rate: {Type: Number, Default: 0.5}}\n";
    let expected = [
        ("GET /a".to_owned(), limit(500, 3)),
        ("GET /b".to_owned(), limit(10_000_000, 7)),
    ];
    assert_eq!(limits(&good(&text, "")), expected);
    let text = http("")
        + shop
        + "      RouteSettings:\n        GET /b: {ThrottlingRateLimit: 2}\n        GET /c: \
            {ThrottlingRateLimit: 2}\n";
    let app = good(&text, "");
    assert_eq!(
        limits(&app),
        [
            ("GET /a".to_owned(), None),
            ("GET /b".to_owned(), limit(2_000, 5_000))
        ]
    );
    assert!(
        warnings(&app).contains("there is no route GET /c"),
        "{}",
        warnings(&app)
    );

    let rest = |settings: &str| {
        api_events("{Path: '/a/{id}', Method: get, RestApiId: !Ref Shop}")
            + &format!(
                "  Shop:\n    Type: AWS::Serverless::Api\n    Properties:\n      StageName: \
                 live\n      MethodSettings: {settings}\n"
            )
    };
    let all =
        "{HttpMethod: '*', ResourcePath: '/*', ThrottlingRateLimit: 10, ThrottlingBurstLimit: 20}";
    let one = "{HttpMethod: GET, ResourcePath: '/~1a~1{id}', ThrottlingRateLimit: 1, ThrottlingBurstLimit: 2}";
    assert_eq!(
        limits(&good(&rest(&format!("[{all}]")), "")),
        [("GET /a/{id}".to_owned(), limit(10_000, 20))]
    );
    assert_eq!(
        limits(&good(&rest(&format!("[{all}, {one}]")), "")),
        [("GET /a/{id}".to_owned(), limit(1_000, 2))]
    );
    for wrong in [
        "{}",
        "[7]",
        "[{ThrottlingRateLimit: fast}]",
        "[{ThrottlingRateLimit: -1}]",
        "[{ThrottlingRate: 1}]",
        "[{ThrottlingBurstLimit: 0.5}]",
    ] {
        let found = complaints(&rest(wrong), "");
        assert!(matches!(&found[..], [(15, _)]), "{wrong}: {found:?}");
    }
}

#[test]
fn what_changes_answers_and_is_not_applied_is_warned_of() {
    let rest = |more: &str| {
        api_events("{Path: /a, Method: get, RestApiId: !Ref Shop}")
            + &format!(
                "  Shop:\n    Type: AWS::Serverless::Api\n    Properties:\n      StageName: \
                 live\n      {more}\n"
            )
    };
    for (property, value) in [
        ("GatewayResponses", "{DEFAULT_4XX: {StatusCode: 418}}"),
        ("MinimumCompressionSize", "0"),
        ("CacheClusterEnabled", "true"),
        ("Policy", "{Statement: []}"),
        (
            "MethodSettings",
            "[{HttpMethod: '*', ResourcePath: '/*', CachingEnabled: true}]",
        ),
    ] {
        let app = good(&rest(&format!("{property}: {value}")), "");
        assert!(
            warnings(&app).contains(":15: "),
            "{property}: {}",
            warnings(&app)
        );
    }
    for property in [
        "DurableConfig: {ExecutionTimeout: 60}",
        "TenancyConfig: {TenantIsolationMode: PER_TENANT}",
    ] {
        let app = good(&function(property), "");
        assert!(
            warnings(&app).contains("is not applied"),
            "{property}: {}",
            warnings(&app)
        );
    }
    for nothing in [
        "CacheClusterEnabled: false",
        "MinimumCompressionSize: !Ref AWS::NoValue",
    ] {
        assert_eq!(warnings(&good(&rest(nothing), "")), "", "{nothing}");
    }
}

#[test]
fn routes_take_the_default_authorizer() {
    let text = function(
        "Events:\n  A: {Type: HttpApi, Properties: {ApiId: !Ref Api, Path: '/a/{id}', Method: get}}\n  \
         B: {Type: HttpApi, Properties: {ApiId: !Ref Api, Path: /b, Method: POST, Auth: {Authorizer: NONE}}}\n  \
         C: {Type: HttpApi, Properties: {ApiId: !Ref Api, Path: /c, Method: POST, Auth: {AuthorizationScopes: [w]}}}",
    ) + "  Api:\n    Type: AWS::Serverless::HttpApi\n    Properties:\n      Auth:\n        \
        DefaultAuthorizer: Jwt\n        Authorizers:\n          \
         Jwt: {JwtConfiguration: {issuer: 'https://i', audience: [a]}, AuthorizationScopes: [r]}\n";
    let app = good(&text, "");
    let routes = &app.apis[0].routes;
    let seen: Vec<(&str, Option<&str>, usize)> = routes
        .iter()
        .map(|r| (r.method.as_str(), r.authorizer.as_deref(), r.scopes.len()))
        .collect();
    assert_eq!(
        seen,
        [
            ("GET", Some("Jwt"), 1),
            ("POST", None, 0),
            ("POST", Some("Jwt"), 1)
        ]
    );
    assert_eq!(routes[2].scopes, ["w"]);
}

#[test]
fn events_without_an_api_use_the_implicit_one() {
    let text = function(
        "Events: {A: {Type: HttpApi, Properties: {Path: /a, Method: get}}, Rest: {Type: HttpApi}}",
    ) + "Globals: {HttpApi: {CorsConfiguration: true}}\n";
    let app = good(&text, "");
    assert_eq!(app.apis[0].id, "ServerlessHttpApi");
    assert!(app.apis[0].cors.is_some());
    assert_eq!(app.apis[0].routes[1].path, "$default");
}
