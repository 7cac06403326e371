using Azure.Core;
using Microsoft.Extensions.DependencyInjection;
using Narad.Kafka.Azure;

namespace Narad.Kafka;

/// <summary>Azure Event Hubs with Microsoft Entra ID instead of a connection string. Tokens come from Azure.Identity.</summary>
public static class NaradKafkaAzureExtensions
{
    private const string Mechanism = "oauthbearer";

    /// <summary>
    /// Azure Event Hubs with tokens of Entra ID: TLS, mechanism <c>oauthbearer</c>, port 9093. The identity needs the role <i>Azure Event Hubs Data Sender</i>,
    /// <i>Data Receiver</i> or <i>Data Owner</i> on the namespace.
    /// </summary>
    /// <param name="options">The settings. Their brokers become the namespace's.</param>
    /// <param name="eventHubs">The namespace: its name, or its host where the cloud is not the public one.</param>
    /// <param name="credential">Who asks; default <c>DefaultAzureCredential</c>: environment, workload identity, managed identity, then the developer's
    /// tools.</param>
    /// <exception cref="ArgumentException">It is no namespace.</exception>
    public static KafkaOptions UseEventHubsEntra(this KafkaOptions options, string eventHubs, TokenCredential? credential = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentException.ThrowIfNullOrWhiteSpace(eventHubs);
        var host = EventHubsHost.Of(eventHubs);
        options.Provider = KafkaProvider.EventHubs;   // first: its profile logs in with a connection string
        options.Brokers = $"{host}:9093";
        options.Sasl = new SaslOptions { Mechanism = Mechanism, TokenProvider = new EntraTokens(credential, host).GetAsync };
        return options;
    }

    /// <inheritdoc cref="UseEventHubsEntra(KafkaOptions, string, TokenCredential?)" path="/summary"/>
    /// <param name="builder">The builder.</param>
    /// <param name="eventHubs">The namespace: its name, or its host where the cloud is not the public one.</param>
    /// <param name="credential">Who asks; default <c>DefaultAzureCredential</c>.</param>
    public static NaradKafkaBuilder UseEventHubsEntra(this NaradKafkaBuilder builder, string eventHubs, TokenCredential? credential = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.Configure(options => options.UseEventHubsEntra(eventHubs, credential));
    }

    /// <summary>
    /// Tokens of Entra ID where the settings ask for <c>oauthbearer</c> and the brokers are an Event Hubs namespace, and nothing where they ask for something
    /// else: for a program whose environment decides. Called after the settings were read. A token source that is there already stays.
    /// </summary>
    /// <param name="options">The settings, as they were read.</param>
    /// <param name="credential">Who asks; default <c>DefaultAzureCredential</c>.</param>
    public static KafkaOptions AddAzureTokens(this KafkaOptions options, TokenCredential? credential = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.Sasl is { TokenProvider: null, Oidc: null }
            && string.Equals(options.Sasl.Mechanism?.Trim(), Mechanism, StringComparison.OrdinalIgnoreCase) &&
            EventHubsHost.OfBrokers(options.Brokers) is { } host)
        {
            options.Sasl.TokenProvider = new EntraTokens(credential, host).GetAsync;
        }

        return options;
    }

    /// <summary>
    /// Tokens of Entra ID where configuration, environment or code ask for <c>oauthbearer</c> and the brokers are an Event Hubs namespace, and nothing where
    /// they ask for something else. A token source that is there already stays.
    /// </summary>
    /// <param name="builder">The builder.</param>
    /// <param name="credential">Who asks; default <c>DefaultAzureCredential</c>.</param>
    public static NaradKafkaBuilder AddAzureTokens(this NaradKafkaBuilder builder, TokenCredential? credential = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddOptions<KafkaOptions>().PostConfigure(options => options.AddAzureTokens(credential));
        return builder;
    }
}
