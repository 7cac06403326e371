using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Xunit.Abstractions;

namespace Narad.Kafka.Cli.Tests;

/// <summary><c>narad doctor</c> as people run it: a process, its output, its exit code.</summary>
public sealed class DoctorCommandTests(ITestOutputHelper output) : IDisposable
{
    private readonly Tool _tool = new();

    public void Dispose() => _tool.Dispose();

    [Fact]
    public async Task With_the_variables_of_the_application_it_examines_step_by_step_and_ends_with_0()
    {
        using var broker = EmbeddedBroker.Start();
        broker.CreateTopic("orders").Should().BeTrue();
        _tool.Variables["KAFKA_BROKERS"] = broker.BootstrapServers;
        _tool.Variables["KAFKA_TOPIC_INCOMING"] = "orders";
        var lines = await SucceedAsync("doctor", "--topic", "incoming");
        lines[^1].Should().Be("Kafka connection successful");
        lines.Should()
            .Contain(line => line.StartsWith("ok       consume", StringComparison.Ordinal) && line.Contains("read from orders[", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_settings_are_those_of_the_application_env_file_appsettings_and_environment()
    {
        using var broker = EmbeddedBroker.Start();
        _tool.Write(".env", "# the application's\r\nexport KAFKA_CLIENT_ID='from the file'\r\nDOTNET_ENVIRONMENT=Staging\r\nKAFKA_BROKERS=127.0.0.1:1\r\n");
        _tool.Write("appsettings.json", """{ "Kafka": { "Brokers": "127.0.0.1:2" } }""");
        _tool.Write("appsettings.Staging.json", $$"""{ "Kafka": { "Brokers": "{{broker.BootstrapServers}}" } }""");
        var lines = await SucceedAsync("doctor");
        lines[0].Should().Contain("client 'from the file'").And.Contain(broker.BootstrapServers);
    }

    [Fact]
    public async Task Other_files_and_another_section_can_be_named()
    {
        using var broker = EmbeddedBroker.Start();
        _tool.Write("other.env", "KAFKA_CLIENT_ID=other");
        _tool.Write("other.json", $$"""{ "Messaging": { "Kafka": { "Brokers": "{{broker.BootstrapServers}}" } } }""");
        (await SucceedAsync("doctor", "--env-file", "other.env", "--config", "other.json", "--section", "Messaging:Kafka"))[0].Should()
            .Contain("client 'other'");
    }

    [Fact]
    public async Task A_variable_of_the_process_wins_over_the_file()
    {
        using var broker = EmbeddedBroker.Start();
        _tool.Write(".env", "KAFKA_BROKERS=127.0.0.1:1");
        _tool.Variables["KAFKA_BROKERS"] = broker.BootstrapServers;
        await SucceedAsync("doctor");
    }

    [Fact]
    public async Task Nobody_listening_ends_with_1_and_says_what_to_look_at()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var nobody = $"127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}";
        listener.Stop();
        _tool.Variables["KAFKA_BROKERS"] = nobody;
        var lines = await FailAsync(1, "doctor", "--timeout", "2");
        lines[^1].Should().StartWith($"Kafka connection failed: Nobody listens at {nobody}").And.Contain("KAFKA_BROKERS");
    }

    [SkippableFact]
    public async Task A_connection_string_in_an_env_file_logs_in_as_it_is_written()
    {
        _tool.Write(".env", $"""
            KAFKA_BROKERS={Variable("NARAD_TEST_KAFKA_SASL_SSL")}
            KAFKA_SASL_USERNAME=$ConnectionString
            KAFKA_SASL_PASSWORD={Variable("NARAD_TEST_EVENTHUBS_CONNECTION_STRING")}
            KAFKA_SASL_MECHANISM=plain
            KAFKA_SSL_ENABLED=true
            KAFKA_SSL_CA={Variable("NARAD_TEST_KAFKA_CA")}
            """);
        (await SucceedAsync("doctor", "--timeout", "60"))[^1].Should().Be("Kafka connection successful");
    }

    [SkippableTheory]
    [InlineData("KAFKA_SASL_PASSWORD", "wrong-secret", "does not take user and password (scram-sha-512)", "KAFKA_SASL_PASSWORD")]
    [InlineData("KAFKA_SSL_CA", "", "it is not signed by an authority of the system's store", "KAFKA_SSL_CA")]
    [InlineData("KAFKA_SSL_ENABLED", "false", "most likely speaks TLS, and the settings do not ask for it", "KAFKA_SSL_ENABLED")]
    [InlineData("KAFKA_SASL_MECHANISM", "scram", "write one of plain", "KAFKA_SASL_MECHANISM")]
    public async Task A_wrong_setting_is_named_with_its_cause(string variable, string value, string cause, string named)
    {
        _tool.Variables["KAFKA_BROKERS"] = Variable("NARAD_TEST_KAFKA_SASL_SSL");
        _tool.Variables["KAFKA_SASL_USERNAME"] = Variable("NARAD_TEST_KAFKA_USER");
        _tool.Variables["KAFKA_SASL_PASSWORD"] = Variable("NARAD_TEST_KAFKA_PASSWORD");
        _tool.Variables["KAFKA_SASL_MECHANISM"] = "scram-sha-512";
        _tool.Variables["KAFKA_SSL_ENABLED"] = "true";
        _tool.Variables["KAFKA_SSL_CA"] = Variable("NARAD_TEST_KAFKA_CA");
        (await SucceedAsync("doctor", "--timeout", "60"))[^1].Should().Be("Kafka connection successful");

        _tool.Variables[variable] = value;
        var lines = await FailAsync(1, "doctor", "--timeout", "15");
        lines[^1].Should().StartWith("Kafka connection failed: ").And.Contain(cause).And.Contain(named);
        string.Join('\n', lines).Should().NotContain("wrong-secret").And.NotContain(Variable("NARAD_TEST_KAFKA_PASSWORD"));
    }

    [Fact]
    public async Task As_json_it_is_one_document()
    {
        using var broker = EmbeddedBroker.Start();
        _tool.Variables["KAFKA_BROKERS"] = broker.BootstrapServers;
        var (code, text, _) = await RunAsync("doctor", "--json");
        using var document = JsonDocument.Parse(text);
        code.Should().Be(0);
        document.RootElement.GetProperty("successful").GetBoolean().Should().BeTrue();
        document.RootElement.GetProperty("summary").GetString().Should().Be("Kafka connection successful");
        document.RootElement.GetProperty("steps")[0].EnumerateObject().Select(member => member.Name).Should()
            .Equal("name", "outcome", "elapsedMs", "details", "recommendation");
        document.RootElement.GetProperty("steps").EnumerateArray().Select(step => step.GetProperty("name").GetString()).Should()
            .Equal("settings", "names", "connections", "TLS", "login", "cluster");
        document.RootElement.GetProperty("steps")[3].GetProperty("outcome").GetString().Should().Be("skipped");
    }

    [Theory]
    [InlineData("Unrecognized command or argument", "doctor", "--no-such-option")]
    [InlineData("other.env cannot be read", "doctor", "--env-file", "other.env")]
    [InlineData("There is no file", "doctor", "--config", "other.json")]
    [InlineData("--timeout takes 0.1 to 600 seconds", "doctor", "--timeout", "0")]
    [InlineData("--timeout takes 0.1 to 600 seconds, not 'abc'", "doctor", "--timeout", "abc")]
    [InlineData("--timeout takes 0.1 to 600 seconds, not 'NaN'", "doctor", "--timeout", "NaN")]
    [InlineData("--section: there is no section 'Typo'", "doctor", "--section", "Typo")]
    [InlineData("--topic: ", "doctor", "--topic", "a b")]
    [InlineData("Required command was not provided")]
    public async Task Bad_usage_ends_with_2_and_says_why_in_one_line(string words, params string[] arguments)
    {
        var (code, output, errors) = await RunAsync(arguments);
        code.Should().Be(2);
        errors.Should().Contain(words);
        errors.Trim().Should().NotContain("\n").And.NotContain("   at ");
        output.Should().BeEmpty();
    }

    [Theory]
    [InlineData("--help")]
    [InlineData("doctor", "--help")]
    public async Task Help_calls_the_tool_by_its_name(params string[] arguments)
    {
        var (code, output, errors) = await RunAsync(arguments);
        code.Should().Be(0, errors);
        output.Should().Contain("narad ").And.Contain("doctor").And.NotContain("Narad.Kafka.Cli");
    }

    [Fact]
    public async Task A_folders_settings_load_no_library_unless_the_folder_is_trusted()
    {
        _tool.Write("appsettings.json", """{ "Kafka": { "Brokers": "127.0.0.1:1", "ClientProperties": { "plugin.library.paths": "./planted" } } }""");
        var (code, text, errors) = await RunAsync("doctor", "--timeout", "1");
        code.Should().Be(2);
        errors.Should().Contain("Kafka:ClientProperties:plugin.library.paths runs code").And.Contain("--trust-folder");
        (text + errors).Should().NotContain("planted");

        (code, text, _) = await RunAsync("doctor", "--timeout", "1", "--trust-folder");
        code.Should().Be(1);
        text.Should().Contain("Kafka:ClientProperties:plugin.library.paths", "the client could not load it, as it could not for the application");
    }

    [SkippableFact]
    public async Task A_folders_variables_run_no_program_unless_the_folder_is_trusted()
    {
        Skip.If(OperatingSystem.IsWindows(), "The planted program is a shell script.");
        var planted = Path.Combine(_tool.Folder, "planted");
        _tool.Write("run.sh", $"touch {planted}\necho '{{\"Version\":1,\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"b\"}}'\n");
        _tool.Write("aws", $"[default]\ncredential_process = /bin/sh {_tool.Folder}/run.sh\n");
        _tool.Write(".env", $"""
            AWS_CONFIG_FILE={_tool.Folder}/aws
            AWS_EC2_METADATA_DISABLED=true
            AWS_REGION=eu-central-1
            DATABASE_URL=x
            KAFKA_BROKERS={Variable("NARAD_TEST_KAFKA_MSK_IAM")}
            KAFKA_SSL_ENABLED=true
            KAFKA_SSL_CA={Variable("NARAD_TEST_KAFKA_CA")}
            KAFKA_SASL_MECHANISM=aws_msk_iam
            """);

        var (_, text, errors) = await RunAsync("doctor", "--timeout", "30");
        errors.Should().Contain("AWS_CONFIG_FILE").And.Contain("--trust-folder").And.NotContain("DATABASE_URL");
        text.Should().Contain("login", "it came to the step that asks for keys");
        File.Exists(planted).Should().BeFalse();

        await RunAsync("doctor", "--timeout", "30", "--trust-folder");
        File.Exists(planted).Should().BeTrue("the folder was trusted");
    }

    [Theory]
    [InlineData("KAFKA_BROKERS", true, false)]
    [InlineData("Messaging__Kafka__Brokers", true, false)]
    [InlineData("DOTNET_ENVIRONMENT", true, false)]
    [InlineData("AWS_ACCESS_KEY_ID", true, false)]
    [InlineData("AWS_CONFIG_FILE", false, true)]
    [InlineData("aws_shared_credentials_file", false, true)]
    [InlineData("AWS_WEB_IDENTITY_TOKEN_FILE", false, true)]
    [InlineData("AZURE_CONFIG_DIR", false, true)]
    [InlineData("PATH", false, true)]
    [InlineData("HOME", false, true)]
    [InlineData("OPENSSL_CONF", false, true)]
    [InlineData("HTTPS_PROXY", false, true)]
    [InlineData("DATABASE_URL", false, false)]
    public void A_folders_file_sets_settings_and_keys_and_what_else_would_matter_is_named(string variable, bool set, bool named)
    {
        FolderTrust.IsSetting(variable).Should().Be(set);
        (!set && FolderTrust.Matters(variable)).Should().Be(named);
    }

    [Theory]
    [InlineData("plugin.library.paths")]
    [InlineData("ssl.engine.location")]
    [InlineData("ssl.providers")]
    [InlineData("sasl.kerberos.kinit.cmd")]
    public void Properties_that_run_code_are_refused(string property)
    {
        FolderTrust.Refusal(new KafkaOptions { ClientProperties = { [property] = "x" } }).Should().Contain(property).And.Contain("--trust-folder");
        FolderTrust.Refusal(new KafkaOptions { ClientProperties = { ["client.rack"] = "x" } }).Should().BeNull();
    }

    [Fact]
    public async Task A_broken_file_is_bad_usage_and_shows_no_value()
    {
        _tool.Write(".env", "KAFKA_SASL_PASSWORD='top-secret");
        var (code, text, errors) = await RunAsync("doctor");
        code.Should().Be(2);
        (text + errors).Should().Contain("line 1").And.NotContain("top-secret");
    }

    private static string Variable(string name)
    {
        var value = Environment.GetEnvironmentVariable(name);
        Skip.If(string.IsNullOrEmpty(value), $"{name} is not set: it names a listener of a real Kafka cluster, or what belongs to it.");
        return value!;
    }

    private Task<string[]> SucceedAsync(params string[] arguments) => FailAsync(0, arguments);

    private async Task<string[]> FailAsync(int expected, params string[] arguments)
    {
        var (code, text, errors) = await RunAsync(arguments);
        code.Should().Be(expected);
        errors.Should().BeEmpty();
        return text.TrimEnd().ReplaceLineEndings("\n").Split('\n');
    }

    private async Task<(int ExitCode, string Output, string Errors)> RunAsync(params string[] arguments)
    {
        var result = await _tool.RunAsync(arguments);
        output.WriteLine($"{result.ExitCode}\n{result.Output}{result.Errors}");
        return result;
    }
}
