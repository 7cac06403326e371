using System.Globalization;
using Microsoft.Extensions.Configuration;

namespace Narad.Kafka.SchemaRegistry;

/// <summary>
/// A section with the settings of a registry. Unknown keys and values that cannot be read are errors, reported with all others at start. Never throws.
/// </summary>
internal static class SchemaRegistrySection
{
    private static readonly string[] OidcNames =
        [nameof(OidcOptions.ClientId), nameof(OidcOptions.ClientSecret), nameof(OidcOptions.TokenEndpoint), nameof(OidcOptions.Scope),
            nameof(OidcOptions.LogicalCluster), nameof(OidcOptions.IdentityPoolId)];

    private static readonly string[] Names =
    [
        nameof(SchemaRegistryOptions.Url), nameof(SchemaRegistryOptions.Username), nameof(SchemaRegistryOptions.Password), nameof(SchemaRegistryOptions.Oidc),
        nameof(SchemaRegistryOptions.UseKafkaCredentials), nameof(SchemaRegistryOptions.Ca), nameof(SchemaRegistryOptions.Certificate),
            nameof(SchemaRegistryOptions.CertificatePassword),
        nameof(SchemaRegistryOptions.RejectUnauthorized), nameof(SchemaRegistryOptions.Timeout), nameof(SchemaRegistryOptions.RetryDelay),
            nameof(SchemaRegistryOptions.Registration),
        nameof(SchemaRegistryOptions.Validate), nameof(SchemaRegistryOptions.CheckCompatibility), nameof(SchemaRegistryOptions.StartWithoutRegistry),
    ];

    public static void Apply(SchemaRegistryOptions options, IConfiguration section)
    {
        foreach (var child in section.GetChildren())
        {
            if (Is(child, nameof(SchemaRegistryOptions.Oidc)) && child.Value is null)
            {
                ApplyOidc(options, child);
            }
            else if (child.Value is { } value)
            {
                Apply(options, child, value);
            }
            else
            {
                Unknown(options, child, Names);
            }
        }
    }

    private static void Apply(SchemaRegistryOptions options, IConfigurationSection setting, string value)
    {
        switch (Array.Find(Names, name => Is(setting, name)))
        {
            case nameof(SchemaRegistryOptions.Url): options.Url = value; break;
            case nameof(SchemaRegistryOptions.Username): options.Username = value; break;
            case nameof(SchemaRegistryOptions.Password): options.Password = value; break;
            case nameof(SchemaRegistryOptions.Ca): options.Ca = value; break;
            case nameof(SchemaRegistryOptions.Certificate): options.Certificate = value; break;
            case nameof(SchemaRegistryOptions.CertificatePassword): options.CertificatePassword = value; break;
            case nameof(SchemaRegistryOptions.UseKafkaCredentials): Boolean(x => options.UseKafkaCredentials = x); break;
            case nameof(SchemaRegistryOptions.RejectUnauthorized): Boolean(x => options.RejectUnauthorized = x); break;
            case nameof(SchemaRegistryOptions.Validate): Boolean(x => options.Validate = x); break;
            case nameof(SchemaRegistryOptions.CheckCompatibility): Boolean(x => options.CheckCompatibility = x); break;
            case nameof(SchemaRegistryOptions.StartWithoutRegistry): Boolean(x => options.StartWithoutRegistry = x); break;
            case nameof(SchemaRegistryOptions.Timeout): Time(x => options.Timeout = x); break;
            case nameof(SchemaRegistryOptions.RetryDelay): Time(x => options.RetryDelay = x); break;
            case nameof(SchemaRegistryOptions.Registration) when Enum.TryParse<SchemaRegistration>(value, ignoreCase: true,
                out var registration): options.Registration = registration; break;
            case nameof(SchemaRegistryOptions.Registration):
                options.BindingErrors.Add($"{setting.Path} is '{value}': write {nameof(SchemaRegistration.UseLatestVersion)} or "
                    + $"{nameof(SchemaRegistration.Register)}.");
                break;
            default: Unknown(options, setting, Names); break;
        }

        void Boolean(Action<bool> set)
        {
            if (bool.TryParse(value, out var parsed))
            {
                set(parsed);
            }
            else
            {
                options.BindingErrors.Add($"{setting.Path} is '{value}': write true or false.");
            }
        }

        void Time(Action<TimeSpan> set)
        {
            if (TimeSpan.TryParse(value, CultureInfo.InvariantCulture, out var parsed))
            {
                set(parsed);
            }
            else
            {
                options.BindingErrors.Add($"{setting.Path} is '{value}': write a time such as 00:00:05.");
            }
        }
    }

    private static void ApplyOidc(SchemaRegistryOptions options, IConfigurationSection section)
    {
        var oidc = options.Oidc ??= new OidcOptions();
        foreach (var child in section.GetChildren())
        {
            switch (Array.Find(OidcNames, name => Is(child, name)))
            {
                case nameof(OidcOptions.ClientId): oidc.ClientId = child.Value; break;
                case nameof(OidcOptions.ClientSecret): oidc.ClientSecret = child.Value; break;
                case nameof(OidcOptions.TokenEndpoint): oidc.TokenEndpoint = child.Value; break;
                case nameof(OidcOptions.Scope): oidc.Scope = child.Value; break;
                case nameof(OidcOptions.LogicalCluster): oidc.LogicalCluster = child.Value; break;
                case nameof(OidcOptions.IdentityPoolId): oidc.IdentityPoolId = child.Value; break;
                default: Unknown(options, child, OidcNames); break;
            }
        }
    }

    private static void Unknown(SchemaRegistryOptions options, IConfigurationSection child, string[] names) =>
        options.BindingErrors.Add($"{child.Path} is no setting: write one of {string.Join(", ", names)}.");

    private static bool Is(IConfigurationSection child, string name) => string.Equals(child.Key, name, StringComparison.OrdinalIgnoreCase);
}
