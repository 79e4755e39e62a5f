//! Intrinsic functions, globals, conditions, parameters and secrets.

use sam_template::project::Arguments;

use crate::fixture::{ENDPOINT, Folder, function, good};

#[test]
fn every_intrinsic_evaluates_in_both_forms() {
    let text = function(
        "Environment:\n  Variables:\n    REF: !Ref Size\n    SUB: !Sub \
         '${Size}/${AWS::Region}/${!Raw}/${Queue.Arn}'\n    \
         SUB2: {'Fn::Sub': ['${a}-${Size}', {a: !Ref Name}]}\n    JOIN: !Join ['+', !Ref \
         Zones]\n    \
         SELECT: !Select [1, !Split ['-', 'x-y-z']]\n    IF: !If [Big, yes-big, no]\n    IF2: \
         {'Fn::If': [Odd, odd, !Ref 'AWS::NoValue']}\n    \
         MAP: !FindInMap [Sizes, !Ref Name, '3']\n    ATT: !GetAtt Queue.Arn\n    URL: !Ref \
         Queue\n    B64: {'Fn::Base64': hi}",
    ) + "  Queue: {Type: 'AWS::SQS::Queue'}\n\
         Parameters:\n  Size: {Type: Number, Default: 3}\n  Name: \
         {Type: String, Default: small}\n  Zones: {Type: CommaDelimitedList, Default: 'a, b'}\n\
         Mappings: {Sizes: {small: {'3': three}}}\n\
         Conditions:\n  Odd: !Not [!Condition Big]\n  Big: !And [!Equals [!Ref Size, 3], !Or \
         [!Equals [a, b], !Equals [c, c]]]\n";
    let app = good(&text, &format!("stack = 'shop'\n{ENDPOINT}"));
    let env = &app.functions["Worker"].environment;
    let expected = [
        ("REF", "3"),
        (
            "SUB",
            "3/us-east-1/${Raw}/arn:aws:sqs:us-east-1:000000000000:shop-Queue",
        ),
        ("SUB2", "small-3"),
        ("JOIN", "a+b"),
        ("SELECT", "y"),
        ("IF", "yes-big"),
        ("MAP", "three"),
        ("ATT", "arn:aws:sqs:us-east-1:000000000000:shop-Queue"),
        ("URL", "http://127.0.0.1:9324/000000000000/shop-Queue"),
        ("B64", "aGk="),
    ];
    for (name, value) in expected {
        assert_eq!(env[name], value, "{name}");
    }
    assert!(
        !env.contains_key("IF2"),
        "AWS::NoValue takes the variable away"
    );
}

#[test]
fn globals_apply_to_every_function() {
    let text = function("Timeout: 9\nEnvironment: {Variables: {A: own}}")
        + "Globals: {Function: {Timeout: 5, MemorySize: 512, Environment: {Variables: {A: global, B: global}}}}\n";
    let worker = good(&text, "").functions["Worker"].clone();
    assert_eq!((worker.timeout.as_secs(), worker.memory_mb), (9, 512));
    assert_eq!(
        (
            worker.environment["A"].as_str(),
            worker.environment["B"].as_str()
        ),
        ("own", "global")
    );
}

#[test]
fn a_resource_may_ignore_globals() {
    let globals = "Globals: {Function: {Timeout: 5, MemorySize: 512}}\n";
    let ignoring = |what: &str| {
        function("Timeout: 9").replace(
            "    Properties:",
            &format!("    IgnoreGlobals: {what}\n    Properties:"),
        )
    };
    for (what, memory) in [("'*'", 128), ("[MemorySize]", 128), ("[Timeout]", 512)] {
        let worker = good(&(ignoring(what) + globals), "").functions["Worker"].clone();
        assert_eq!(
            (worker.timeout.as_secs(), worker.memory_mb),
            (9, memory),
            "{what}"
        );
    }
}

#[test]
fn a_resource_with_a_false_condition_does_not_exist() {
    let text = function("Timeout: 9")
        + "  Other:\n    Type: AWS::Serverless::Function\n    Condition: Off\n    Properties: \
            {Runtime: python3.13}\n\
           Conditions: {Off: !Equals [a, b]}\n";
    assert_eq!(
        good(&text, "").functions.keys().collect::<Vec<_>>(),
        ["Worker"]
    );
}

#[test]
fn the_command_line_overrides_samconfig_and_settings() {
    let text = function("Environment: {Variables: {A: !Ref A, B: !Ref B, C: !Ref C, D: !Ref D}}")
        + "Parameters: {A: {Type: String, Default: d}, B: {Type: String, Default: d}, C: {Type: String, Default: d}, D: {Type: String, Default: d}}\n";
    let folder = Folder::new(
        &text,
        "[parameters]\nB = 'settings'\nC = 'settings'\nD = 'settings'\n",
    );
    folder.write(
        "samconfig.toml",
        "[default.up.parameters]\nparameter_overrides = ['C=samconfig', \
         'D=samconfig']\n[default.deploy.parameters]\nparameter_overrides = 'A=production'\n",
    );
    let arguments = Arguments {
        config_env: "default".into(),
        parameter_overrides: vec!["D=line".into()],
        ..Arguments::default()
    };
    let app = folder.load(&arguments).unwrap();
    let values: Vec<&str> = app.functions["Worker"]
        .environment
        .values()
        .map(String::as_str)
        .collect();
    assert_eq!(values, ["d", "settings", "samconfig", "line"]);
}

#[test]
fn secrets_from_settings_stay_secret() {
    let text = function(
        "Environment: {Variables: {URL: 'pg://u:{{resolve:secretsmanager:db:SecretString:pw}}@127.0.0.1/x', KEY: !Ref Key}}",
    ) + "Parameters: {Key: {Type: String, NoEcho: true, Default: hush}}\n";
    let folder = Folder::new(
        &text,
        "[resolve]\n\"secretsmanager:db:SecretString:pw\" = { file = \"pw.txt\" }\n",
    );
    folder.write("pw.txt", "s3cret\n");
    let app = folder.load(&Arguments::default()).unwrap();
    assert_eq!(
        app.functions["Worker"].environment["URL"],
        "pg://u:s3cret@127.0.0.1/x"
    );
    assert!(app.secrets.contains("s3cret") && app.secrets.contains("hush"));
}
