"""Checks of the variants on managed instances: functions whose logical ids end with `Managed`, beside those on demand."""

from evaluate import texts

END = "Managed"
# What the two variants of a function have in common; the other properties say how each of them is computed and scaled.
ALIKE = ("Code", "Runtime", "Architectures", "Timeout", "Role", "LoggingConfig", "Environment", "KmsKeyArn", "TracingConfig")
ORDERS = "OrderCreateOrders"
API = {"managed": "ManagedApi", "on-demand": "Api"}


def on_demand(name):
    """Logical id of the function that a function is, or stands in for."""
    return name.removesuffix(END)


def functions(stack):
    return stack.of_type("AWS::Lambda::Function")


def chosen(stack, concern):
    """The kinds of functions that a parameter names. The first one has the traffic."""
    return stack.parameters[f"{concern}Compute"].split("-and-")


def concern(name):
    return "OrderCreate" if name.startswith("OrderCreate") else "Storefront"


def variants_are_those_that_the_parameter_names(stack):
    for name in functions(stack):
        kind = "managed" if name.endswith(END) else "on-demand"
        if name.startswith(("Storefront", "OrderCreate")) and kind not in chosen(stack, concern(name)):
            yield f"{name} exists"
    for of in ("Storefront", "OrderCreate"):
        names = [name for name in functions(stack) if name.startswith(of)]
        wanted = len(chosen(stack, of)) * (4 if of == "Storefront" else 1) * (stack.parameters[f"{of}Enabled"] == "true")
        if len(names) != wanted:
            yield f"{of} has the functions {names}"


def variants_run_on_the_capacity_provider(stack):
    for name, function in functions(stack).items():
        config = function.get("CapacityProviderConfig", {}).get("LambdaManagedInstancesCapacityProviderConfig", {})
        if not name.endswith(END):
            if config:
                yield f"{name} has a capacity provider"
            continue
        if config.get("CapacityProviderArn") != stack.parameters["CapacityProviderArn"] or "PerExecutionEnvironmentMaxConcurrency" not in config:
            yield f"{name} is not on the capacity provider"
        # The provider has the network, and the scaling takes the place of a reservation.
        for excluded in ("VpcConfig", "ReservedConcurrentExecutions"):
            if excluded in function:
                yield f"{name} has {excluded}"
        if function.get("PublishToLatestPublished") is not False:
            yield f"{name} keeps execution environments for a version that nothing invokes"
        versions = [version for version in stack.of_type("AWS::Lambda::Version").values() if version["FunctionName"] == f"{{{name}}}"]
        scaling = function.get("FunctionScalingConfig")
        if not scaling or [version.get("FunctionScalingConfig") for version in versions] != [scaling]:
            yield f"{name} has no version that is scaled as it is"


def variants_are_alike(stack):
    # A function that is left out is compared as well: both are evaluated from the whole template.
    declared = stack.template["Resources"]
    for name in functions(stack):
        if name.endswith(END):
            ours, theirs = (stack.value(declared[id]["Properties"]) for id in (name, on_demand(name)))
            for key in ALIKE:
                if ours.get(key) != theirs.get(key):
                    yield f"{name} has another {key} than {on_demand(name)}"


def routes(api):
    """Alias and authorizers of each route."""
    for path, methods in api["Body"]["paths"].items():
        for method, route in methods.items():
            uri = route["x-amazon-apigateway-integration"]["uri"]
            alias = uri.split("/functions/")[1].removesuffix("/invocations").strip("{}")
            yield (method, path), (alias.removesuffix("Aliaslive"), route.get("security"))


def each_api_leads_to_functions_of_one_kind(stack):
    apis = stack.of_type("AWS::ApiGatewayV2::Api")
    found = {name: dict(routes(api)) for name, api in apis.items()}
    for name, served in found.items():
        for route, (function, _) in served.items():
            if function.endswith(END) != (name == "ManagedApi"):
                yield f"{route} of {name} invokes {function}"
    as_on_demand = [{route: (on_demand(function), security) for route, (function, security) in served.items()} for served in found.values()]
    if any(other != as_on_demand[0] for other in as_on_demand[1:]):
        yield "the two APIs have other routes"
    wanted = {API[kind] for kind in chosen(stack, "Storefront")} if stack.parameters["StorefrontEnabled"] == "true" else set()
    if set(apis) != wanted:
        yield f"there are the APIs {sorted(apis)}"


def one_kind_has_the_traffic(stack):
    """The output, the name of the API and the mapping of orders lead to the kind that the parameter names first, and to it alone."""
    api = API[chosen(stack, "Storefront")[0]]
    mapped = stack.of_type("AWS::ApiGatewayV2::ApiMapping")
    if stack.parameters["StorefrontEnabled"] == "true":
        name = stack.parameters["ApiDomainName"]
        url = stack.outputs["ApiUrl"]["Value"]
        if url != (f"https://{name}" if name else f"https://{{{api}}}.execute-api.eu-central-1.amazonaws.com"):
            yield f"ApiUrl is {url}"
        if len(mapped) != bool(name):
            yield f"the mappings of the name are {sorted(mapped)}"
    for mapping in mapped.values():
        if (mapping["ApiId"], mapping["Stage"]) != (f"{{{api}}}", f"{{{api}ApiGatewayDefaultStage}}"):
            yield f"the name leads to {mapping['ApiId']}, {mapping['Stage']}"
    topic = f"{stack.parameters['EnvPrefix']}-{stack.parameters['OrdersTopic']}"
    readers = {
        name: mapping["FunctionName"]
        for name, mapping in stack.of_type("AWS::Lambda::EventSourceMapping").items()
        if topic in texts(mapping.get("Topics", []))
    }
    function = "OrderCreateManaged" if chosen(stack, "OrderCreate")[0] == "managed" else "OrderCreate"
    if readers != ({ORDERS: f"{{{function}Aliaslive}}"} if stack.parameters["OrderCreateEnabled"] == "true" else {}):
        yield f"orders are read by {readers}"


ALL = [
    variants_are_those_that_the_parameter_names,
    variants_run_on_the_capacity_provider,
    variants_are_alike,
    each_api_leads_to_functions_of_one_kind,
    one_kind_has_the_traffic,
]
