using System.Text.Json;
using System.Text.Json.Serialization;

namespace Narad.Kafka.SchemaRegistry.Tests;

/// <summary>Validating, generating and comparing schemas.</summary>
public sealed class CompiledSchemaTests
{
    [Theory]
    [InlineData("""{"$schema":"http://json-schema.org/draft-04/schema#","id":"http://x/y","definitions":{"n":{"type":"number","minimum":0,"exclusiveMinimum":true}},"properties":{"id":{"type":"string"},"v":{"$ref":"#/definitions/n"}}}""", "/v (exclusiveMinimum)")]
    [InlineData("""{"$schema":"http://json-schema.org/draft-07/schema#","definitions":{"n":{"exclusiveMinimum":0}},"properties":{"v":{"$ref":"#/definitions/n"}},"x-owner":"billing"}""", "/v (exclusiveMinimum)")]
    [InlineData("""{"$schema":"https://json-schema.org/draft/2020-12/schema","$defs":{"n":{"exclusiveMinimum":0}},"properties":{"v":{"$ref":"#/$defs/n"}}}""", "/v (exclusiveMinimum)")]
    [InlineData("""{"properties":{"id":{"type":"string"}},"required":["v","w"],"x-owner":"billing"}""", "/ (Required properties [\"w\"] are not present)")]
    [InlineData("""{"properties":{"id":{"type":"string"}},"additionalProperties":false}""", "/v (not allowed)")]
    public void Every_draft_acts_and_the_place_and_the_rule_are_named(string schema, string failure)
    {
        var compiled = CompiledSchema.Parse(schema);
        compiled.Validate("""{"id":"1","v":0}"""u8.ToArray()).Should().Equal(failure);
        compiled.Validate("""{"id":"1","v":1,"w":2}"""u8.ToArray()).Should().HaveCount(failure.Contains("not allowed", StringComparison.Ordinal) ? 2 : 0);
    }

    [Fact]
    public void References_lead_to_the_schemas_that_are_given_and_never_to_the_network()
    {
        const string Schema = """{"$schema":"http://json-schema.org/draft-07/schema#","properties":{"v":{"$ref":"money.json"}}}""";
        CompiledSchema.Parse(Schema, [("money.json", """{"type":"integer"}""")]).Validate("""{"v":"x"}"""u8.ToArray()).Should().Equal("/v (type)");
        var remote = () => CompiledSchema.Parse("""{"properties":{"v":{"$ref":"http://127.0.0.1:1/x.json"}}}""").Validate("{\"v\":1}"u8.ToArray());
        remote.Should().Throw<Exception>().Which.GetType().Name.Should().Be("RefResolutionException");
    }

    [Fact]
    public void The_schema_of_a_type_is_that_of_its_JSON()
    {
        var options = new JsonSerializerOptions(JsonSerializerDefaults.Web) { DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
            Converters = { new JsonStringEnumConverter() } };
        var schema = CompiledSchema.Parse(JsonSchemaText.Of(typeof(Sample), options).ToJsonString());

        schema.Validate(JsonSerializer.SerializeToUtf8Bytes(new Sample("1", null, Level.High, []), options)).Should().BeEmpty();
        schema.Validate("""{"level":"Highest","id":3,"lines":[]}"""u8.ToArray()).Should().BeEquivalentTo("/level (enum)", "/id (type)");
        schema.Validate("""{"id":"1","level":"Low","lines":[{"count":"7"}]}"""u8.ToArray()).Should().Equal("/lines/0/count (type)");
    }

    [Fact]
    public void Differences_are_told_at_every_depth()
    {
        var own = JsonSchemaText.Of(typeof(Sample), null);
        var other = CompiledSchema.Parse("""{"properties":{"id":{"type":"string"},"lines":{"type":"array","items":{"properties":{"count":{"type":"string"}}}},"extra":{}}}""").Document;

        SchemaDifferences.ThatBreak(own, other).Should().Equal("/lines/*/count: the type writes integer, and the registered schema has string");
        SchemaDifferences.All(own, other).Should().Contain("/extra: the registered schema has it, and the type does not").And.Contain(
            "/note: the type has it, and the registered schema does not");
        SchemaDifferences.All(own, own.DeepClone()).Should().BeEmpty();
    }

    internal enum Level
    {
        Low,
        High,
    }

    internal sealed record Sample(string Id, string? Note, Level Level, IReadOnlyList<Line> Lines);

    internal sealed record Line(int Count);
}
