using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Narad.Kafka.Cli;

/// <summary>
/// The settings as the application in this folder gets them: from its <c>.env</c> file, the variables of this process (which win over the file), then
/// <c>appsettings.json</c>, <c>appsettings.{Environment}.json</c> and variables such as <c>Kafka__Brokers</c>; configuration beats <c>KAFKA_*</c>, as in
/// the library.
/// </summary>
internal static class ApplicationSettings
{
    /// <summary>The section that is read where none is named. It may be missing: the variables may say all.</summary>
    public const string DefaultSection = "Kafka";

    /// <summary>Reads the files and binds what they say. Sets variables of this process, which is the tool's own.</summary>
    /// <param name="envFile">A file of variables; null: <c>.env</c>, where there is one.</param>
    /// <param name="configFile">A configuration file; null: <c>appsettings.json</c>, where there is one.</param>
    /// <param name="section">The section's path.</param>
    /// <param name="trusted">Whether the files may do whatever the application lets them do.</param>
    /// <exception cref="UsageException">A file that was named is not there, a file cannot be read, or a setting would run code and nothing was said to be
    /// trusted.</exception>
    public static (KafkaOptions Options, IReadOnlyList<string> LeftOut) Read(string? envFile, string? configFile, string section, bool trusted = false)
    {
        var leftOut = SetVariables(envFile, trusted);
        var configuration = ReadConfiguration(configFile);
        if (!string.Equals(section, DefaultSection, StringComparison.OrdinalIgnoreCase) && !configuration.GetSection(section).Exists())
        {
            var sections = string.Join(", ", configuration.GetChildren().Where(child => child.Value is null).Select(child => child.Key));
            throw new UsageException($"--section: there is no section '{section}' in the configuration.{(sections.Length > 0 ? $" It has: {sections}." : "")}");
        }

        var services = new ServiceCollection();
        AddKafka(services, string.Equals(section, DefaultSection, StringComparison.OrdinalIgnoreCase) ? configuration : configuration.GetSection(section));

        // What is wrong with the settings is the doctor's first finding.
        services.RemoveAll<IValidateOptions<KafkaOptions>>();
        using var provider = services.BuildServiceProvider();
        var options = provider.GetRequiredService<IOptions<KafkaOptions>>().Value;
        if (!trusted && FolderTrust.Refusal(options) is { } refusal)
        {
            throw new UsageException(refusal);
        }

        return (options, leftOut);
    }

    // With the tokens that the settings may ask for.
    private static void AddKafka(ServiceCollection services, IConfiguration configuration) =>
        services.AddNaradKafka(configuration).AddAwsTokens().AddAzureTokens();

    // What was left out.
    private static List<string> SetVariables(string? file, bool trusted)
    {
        List<string> leftOut = [];
        if (file is null && !File.Exists(".env"))
        {
            return leftOut;
        }

        var path = file ?? ".env";
        try
        {
            foreach (var (name, value) in EnvFile.Parse(File.ReadAllText(path)))
            {
                if (Environment.GetEnvironmentVariable(name) is not null)
                {
                    continue;
                }

                if (trusted || FolderTrust.IsSetting(name))
                {
                    Environment.SetEnvironmentVariable(name, value);
                }
                else if (FolderTrust.Matters(name))
                {
                    leftOut.Add(name);
                }
            }

            return leftOut;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or FormatException)
        {
            throw new UsageException($"{path} cannot be read: {error.Message}");
        }
    }

    private static IConfigurationRoot ReadConfiguration(string? file)
    {
        var path = Path.GetFullPath(file ?? "appsettings.json");
        if (file is not null && !File.Exists(path))
        {
            throw new UsageException($"There is no file {path}: give the path of an appsettings.json.");
        }

        var environment = Named("DOTNET_ENVIRONMENT") ?? Named("ASPNETCORE_ENVIRONMENT") ?? "Production";
        var special = Path.Combine(Path.GetDirectoryName(path)!, $"{Path.GetFileNameWithoutExtension(path)}.{environment}{Path.GetExtension(path)}");
        try
        {
            return new ConfigurationBuilder()
                .AddJsonFile(path, optional: true)
                .AddJsonFile(special, optional: true)
                .AddEnvironmentVariables()
                .Build();
        }
        catch (InvalidDataException error)
        {
            throw new UsageException($"{error.Message} {error.InnerException?.Message}".TrimEnd());
        }
    }

    private static string? Named(string variable) =>
        Environment.GetEnvironmentVariable(variable) is { } value && !string.IsNullOrWhiteSpace(value) ? value.Trim() : null;
}
