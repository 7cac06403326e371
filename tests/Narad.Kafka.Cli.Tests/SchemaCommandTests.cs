using Narad.Kafka.Shared;

namespace Narad.Kafka.Cli.Tests;

/// <summary><c>narad schema check</c> as a build runs it.</summary>
public sealed class SchemaCommandTests : IDisposable
{
    private const string Latest = """{"subject":"orders-value","version":3,"id":7,"schemaType":"JSON","schema":"{\"type\":\"object\",\"properties\":{\"id\":{\"type\":\"string\"},\"customer\":{\"type\":\"string\"}}}"}""";

    private readonly Tool _tool = new();

    public void Dispose() => _tool.Dispose();

    [Fact]
    public async Task A_schema_that_is_compatible_ends_with_0()
    {
        await using var registry = Registry(isCompatible: true);
        _tool.Write("order.json", """{"type":"object","properties":{"id":{"type":"string"}}}""");
        _tool.Variables["KAFKA_SCHEMA_REGISTRY_URL"] = registry.Address.ToString();

        var (exitCode, output, _) = await _tool.RunAsync("schema", "check", "--subject", "orders-value", "--schema", "order.json");

        output.Should().Contain("ok       subject 'orders-value'");
        exitCode.Should().Be(0);
        registry.Requests.Should().NotContain(request => request.Head.StartsWith("POST /subjects/orders-value/versions", StringComparison.Ordinal),
            "nothing is registered");
    }

    [Fact]
    public async Task A_type_of_an_assembly_that_is_not_compatible_ends_with_1_and_the_differences()
    {
        await using var registry = Registry(isCompatible: false);

        var (exitCode, output, _) = await _tool.RunAsync(
            "schema", "check", "--subject", "orders-value", "--assembly", typeof(Ordered).Assembly.Location, "--type", typeof(Ordered).FullName!,
                "--registry", registry.Address.ToString());

        output.Should().Contain("failed   subject 'orders-value'").And.Contain("/id: the type writes integer, and the registered schema has string")
            .And.Contain("/customer: the registered schema has it, and the type does not").And.Contain("version 3");
        exitCode.Should().Be(1);
    }

    [Fact]
    public async Task A_registry_that_does_not_answer_ends_with_1_without_the_password()
    {
        _tool.Write("order.json", "{}");
        _tool.Variables["KAFKA_SCHEMA_REGISTRY_USERNAME"] = "ci";
        _tool.Variables["KAFKA_SCHEMA_REGISTRY_PASSWORD"] = "hunter2";

        var (exitCode, output, errors) = await _tool.RunAsync("schema", "check", "--subject", "orders-value", "--schema", "order.json", "--registry",
            "http://127.0.0.1:1");

        output.Should().Contain("could not be reached").And.NotContain("hunter2");
        errors.Should().NotContain("hunter2");
        exitCode.Should().Be(1);
    }

    [Theory]
    [InlineData("Which registry?", "--schema", "x.json")]
    [InlineData("What is to be checked?", "--registry", "http://127.0.0.1:1")]
    [InlineData("cannot be read", "--registry", "http://127.0.0.1:1", "--schema", "missing.json")]
    [InlineData("Kafka:SchemaRegistry:Url", "--registry", "ftp://x", "--schema", "x.json")]
    public async Task What_is_asked_wrongly_ends_with_2(string reason, params string[] arguments)
    {
        _tool.Write("x.json", "{}");

        var (exitCode, _, errors) = await _tool.RunAsync(["schema", "check", "--subject", "s", .. arguments]);

        errors.Should().Contain(reason);
        exitCode.Should().Be(2);
    }

    private static LoopbackEndpoint Registry(bool isCompatible) => new((head, _) => Task.FromResult(
        ("200 OK", "application/json", head.StartsWith("POST /compatibility", StringComparison.Ordinal) ? $$"""{"is_compatible":{{(isCompatible ? "true" : "false")}}}""" : Latest)));

    public sealed record Ordered(int Id, decimal Total);
}
