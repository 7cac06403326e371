using System.Globalization;
using Microsoft.Extensions.Options;

namespace Narad.Kafka.SchemaRegistry;

/// <summary>What is wrong with the settings of a registry. Reported together with what is wrong with the Kafka settings.</summary>
internal sealed class SchemaRegistryRules(KafkaSchemaRegistry registry) : IValidateOptions<KafkaOptions>
{
    private const string Section = "Kafka:SchemaRegistry";

    public ValidateOptionsResult Validate(string? name, KafkaOptions options)
    {
        string[] errors = [.. registry.Options.BindingErrors, .. Errors(registry.Options, options)];
        return errors.Length == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);
    }

    /// <summary>One sentence for each error: the setting, its value (never a secret) and what to write.</summary>
    public static IEnumerable<string> Errors(SchemaRegistryOptions options, KafkaOptions kafka)
    {
        var addresses = RegistryAddress.Split(options.Url);
        if (addresses.Length == 0)
        {
            yield return $"{Section}:Url is not set: write the address of the schema registry, such as https://registry.example.com, or "
                + $"{RegistryAddress.Memory} for one in this process (Development only).";
        }

        var isMemory = RegistryAddress.IsMemory(options.Url);
        if (isMemory && kafka.Mode is not (KafkaMode.Embedded or KafkaMode.Console) && !KafkaSchemaRegistry.IsDevelopment(kafka))
        {
            yield return $"{Section}:Url is {RegistryAddress.Memory}, a registry that ends with this process, and Kafka:Mode is {kafka.Mode}: others could not "
                + "read the messages. Write the address of a registry. Only the environment Development and the modes Embedded and Console allow it.";
        }

        if (!isMemory && addresses.Any(static url => RegistryAddress.TryParse(url) is null))
        {
            yield return $"{Section}:Url has a part that is no absolute http or https address: write addresses such as https://registry.example.com, "
                + "and commas between several.";
        }

        var hasBasic = options.Username is { Length: > 0 } || options.Password is { Length: > 0 } || RegistryAddress.Credentials(options.Url) is not null;
        if (string.IsNullOrEmpty(options.Username) != string.IsNullOrEmpty(options.Password))
        {
            var (set, missing) = string.IsNullOrEmpty(options.Username) ? ("Password", "Username") : ("Username", "Password");
            yield return $"{Section}:{set} is set without {missing}: set both, or neither.";
        }

        var hasTokens = options.Oidc is not null || options.TokenProvider is not null;
        if ((hasBasic ? 1 : 0) + (hasTokens ? 1 : 0) + (options.UseKafkaCredentials ? 1 : 0) > 1)
        {
            yield return $"{Section} has several credentials: choose one of Username and Password, Oidc (or TokenProvider), and UseKafkaCredentials.";
        }

        if (options.UseKafkaCredentials && !RegistryCredentials.HasKafkaCredentials(kafka))
        {
            yield return $"{Section}:UseKafkaCredentials is true, and Kafka:Sasl has neither a user with a password nor a token source: set them, or "
                + "the registry's own credentials.";
        }

        if (options.Oidc is { } oidc && OidcError(oidc) is { } error)
        {
            yield return $"{Section}:Oidc is not complete: {error}";
        }

        if (!options.RejectUnauthorized && !KafkaSchemaRegistry.IsDevelopment(kafka))
        {
            yield return $"{Section}:RejectUnauthorized is false: any server can pose as the registry. Only the environment Development allows it; "
                + $"elsewhere name the authority in {Section}:Ca.";
        }

        var files = ((string Setting, string? File)[])[("Ca", options.Ca), ("Certificate", options.Certificate)];
        foreach (var (setting, file) in files.Where(static one => one.File is not null && !File.Exists(one.File)))
        {
            yield return $"{Section}:{setting} names a file that does not exist: '{file}'. Write the path of a file.";
        }

        if (files.All(static one => one.File is null || File.Exists(one.File)) && HttpRegistryClient.FileError(options) is var (broken, reason))
        {
            yield return $"{Section}:{broken} names a file that cannot be used: {reason}. Ca is a PEM file, Certificate a PFX file that "
                + "CertificatePassword opens.";
        }

        if (options.Timeout < TimeSpan.FromMilliseconds(100) || options.Timeout > TimeSpan.FromMinutes(5))
        {
            yield return string.Create(CultureInfo.InvariantCulture, $"{Section}:Timeout is {options.Timeout:c}: write a time from 00:00:00.1 to 00:05:00.");
        }

        if (options.RetryDelay < TimeSpan.FromMilliseconds(10) || options.RetryDelay > TimeSpan.FromMinutes(5))
        {
            yield return string.Create(CultureInfo.InvariantCulture,
                $"{Section}:RetryDelay is {options.RetryDelay:c}: write a time from 00:00:00.01 to 00:05:00.");
        }

        if (options.Registration is { } registration && !Enum.IsDefined(registration))
        {
            yield return $"{Section}:Registration is {registration}: write {nameof(SchemaRegistration.UseLatestVersion)} or "
                + $"{nameof(SchemaRegistration.Register)}.";
        }
    }

    private static string? OidcError(OidcOptions options)
    {
        try
        {
            _ = new OidcTokenProvider(options);
            return null;
        }
        catch (ArgumentException error)
        {
            return error.Message;
        }
    }
}
