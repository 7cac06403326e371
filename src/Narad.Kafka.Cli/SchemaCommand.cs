using System.CommandLine;
using System.Text.Json.Nodes;

namespace Narad.Kafka.Cli;

/// <summary><c>narad schema check</c>: whether a schema could be the next version of its subject. Changes nothing in the registry.</summary>
internal static class SchemaCommand
{
    private const string UrlVariable = "KAFKA_SCHEMA_REGISTRY_URL";
    private const string UsernameVariable = "KAFKA_SCHEMA_REGISTRY_USERNAME";
    private const string PasswordVariable = "KAFKA_SCHEMA_REGISTRY_PASSWORD";

    public static Command Create()
    {
        var subject = new Option<string>("--subject") { Description = "The subject, such as orders-value.", HelpName = "SUBJECT", Required = true };
        var file = new Option<string?>("--schema") { Description = "A file with the JSON Schema.", HelpName = "FILE" };
        var assembly = new Option<string?>(
            "--assembly") { Description = "The built application or library that has the type. It is loaded into this process.", HelpName = "FILE" };
        var type = new Option<string?>("--type") { Description = "The full name of the type whose schema is checked; as JSON with camelCase names.",
            HelpName = "TYPE" };
        var registry = new Option<string?>("--registry")
        {
            Description = $"The registry's address. Default: the variable {UrlVariable}. User and password are read from {UsernameVariable} and "
                + $"{PasswordVariable}.",
            HelpName = "URL",
        };
        var check = new Command("check",
            "Checks that a schema is compatible with the latest version of its subject, without registering it. Exit code 1 where it is not, with the "
                + "differences.")
        {
            subject, file, assembly, type, registry,
        };
        check.SetAction(async (parsed, cancellationToken) =>
        {
            var options = new SchemaRegistryOptions
            {
                Url = parsed.GetValue(registry) ?? Variable(UrlVariable)
                    ?? throw new UsageException($"Which registry? Give --registry URL, or set {UrlVariable}."),
                Username = Variable(UsernameVariable),
                Password = Variable(PasswordVariable),
                Timeout = TimeSpan.FromSeconds(30),   // a build waits rather than fails
            };
            var schema = Schema(parsed.GetValue(file), parsed.GetValue(assembly), parsed.GetValue(type));
            return await CheckAsync(options, parsed.GetValue(subject)!, schema, parsed.InvocationConfiguration.Output, cancellationToken).ConfigureAwait(false);
        });
        return new Command("schema", "Works with the schemas of a registry.") { check };
    }

    private static async Task<int> CheckAsync(SchemaRegistryOptions options, string subject, string schema, TextWriter output,
        CancellationToken cancellationToken)
    {
        using var registry = new KafkaSchemaRegistry(options);
        try
        {
            new KafkaOptions().UseSchemaRegistry(registry);
            await registry.CheckAsync(subject, schema, cancellationToken).ConfigureAwait(false);
            await output.WriteLineAsync($"ok       subject '{subject}': the schema is compatible").ConfigureAwait(false);
            return ExitCodes.Success;
        }
        catch (KafkaConfigurationException error)
        {
            throw new UsageException(string.Join(' ', error.Errors));
        }
        catch (Exception error) when (error is SchemaMismatchException or SerializationUnavailableException)
        {
            await output.WriteLineAsync($"failed   subject '{subject}': {error.Message}").ConfigureAwait(false);
            return ExitCodes.Failure;
        }
    }

    private static string Schema(string? file, string? assembly, string? type)
    {
        if (file is not null && assembly is null && type is null)
        {
            return Read(file);
        }

        if (file is not null || assembly is null || type is null)
        {
            throw new UsageException("What is to be checked? Give --schema FILE, or --assembly FILE and --type TYPE.");
        }

        var path = Path.GetFullPath(assembly);
        if (!File.Exists(path))
        {
            throw new UsageException($"There is no file {path}.");
        }

        try
        {
            var found = new ApplicationAssemblies(path).LoadFromAssemblyPath(path).GetType(type)
                ?? throw new UsageException($"There is no type '{type}' in {path}: give its full name, with its namespace.");
            return KafkaSchemaRegistry.SchemaOf(found);
        }
        catch (Exception error) when (error is IOException or BadImageFormatException or TypeLoadException or NotSupportedException)
        {
            throw new UsageException($"The schema of '{type}' in {path} cannot be made: {error.Message}");
        }
    }

    private static string Read(string file)
    {
        try
        {
            var text = File.ReadAllText(file);
            return JsonNode.Parse(text) is JsonObject ? text : throw new UsageException($"{file} is not a JSON Schema: write a JSON object.");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or System.Text.Json.JsonException)
        {
            throw new UsageException($"{file} cannot be read: {error.Message}");
        }
    }

    private static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;
}
