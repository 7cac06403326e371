using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Narad.Kafka;

namespace Narad.Samples.Tests.Docs;

/// <summary>
/// The code of docs/providers/: compiled here, compared with the pages by <see cref="DocsTests"/>, and run by <see cref="ProviderPagesTests"/>.
/// </summary>
public static class ProviderSnippets
{
    public static void Local(HostApplicationBuilder builder)
    {
        // snippet: provider-local
        builder.Services.AddNaradKafka(builder.Configuration)
            .UseLocal();                                   // or .UseLocal("kafka:9092")
        // end
    }

    public static void ConfluentCloud(HostApplicationBuilder builder, string apiKey, string apiSecret)
    {
        // snippet: provider-confluent-cloud
        builder.Services.AddNaradKafka(builder.Configuration)
            .UseConfluentCloud(apiKey, apiSecret)
            .Configure(kafka => kafka.Brokers = "pkc-12345.eu-central-1.aws.confluent.cloud:9092");
        // end
    }

    public static void ConfluentCloudOidc(HostApplicationBuilder builder, string clientSecret)
    {
        // snippet: provider-confluent-cloud-oidc
        builder.Services.AddNaradKafka(builder.Configuration)
            .UseConfluentCloudOidc(
                "your_client_id", clientSecret, "https://login.example.com/oauth2/token", logicalCluster: "lkc-12345", identityPoolId: "pool-12345")
            .Configure(kafka => kafka.Brokers = "pkc-12345.eu-central-1.aws.confluent.cloud:9092");
        // end
    }

    public static void MskIam(HostApplicationBuilder builder)
    {
        // snippet: provider-msk-iam
        builder.Services.AddNaradKafka(builder.Configuration)
            .UseMskIam("eu-central-1")                     // with a role: .UseMskIam("eu-central-1", roleArn: "arn:aws:iam::123456789012:role/kafka")
            .Configure(kafka => kafka.Brokers = "b-1.shop.abc123.c2.kafka.eu-central-1.amazonaws.com:9098");
        // end
    }

    public static void EventHubsEntra(HostApplicationBuilder builder)
    {
        // snippet: provider-event-hubs-entra
        builder.Services.AddNaradKafka(builder.Configuration)
            .UseEventHubsEntra("shop.servicebus.windows.net");
        // end
    }

    public static void MskScram(HostApplicationBuilder builder, string password)
    {
        // snippet: provider-msk-scram
        builder.Services.AddNaradKafka(builder.Configuration)
            .UseMskScram("your_user", password)
            .Configure(kafka => kafka.Brokers = "b-1.shop.abc123.c2.kafka.eu-central-1.amazonaws.com:9096");
        // end
    }

    public static void MskTls(HostApplicationBuilder builder, string keyPassword)
    {
        // snippet: provider-msk-tls
        builder.Services.AddNaradKafka(builder.Configuration)
            .UseMskTls("/etc/kafka/client.pem", "/etc/kafka/client.key", keyPassword)
            .Configure(kafka => kafka.Brokers = "b-1.shop.abc123.c2.kafka.eu-central-1.amazonaws.com:9094");
        // end
    }

    public static void MskOpen(HostApplicationBuilder builder)
    {
        // snippet: provider-msk-open
        builder.Services.AddNaradKafka(builder.Configuration)
            .UseMskOpen(tls: true)                         // without TLS the port is 9092
            .Configure(kafka => kafka.Brokers = "b-1.shop.abc123.c2.kafka.eu-central-1.amazonaws.com:9094");
        // end
    }

    public static void EventHubs(HostApplicationBuilder builder, string connectionString)
    {
        // snippet: provider-event-hubs
        builder.Services.AddNaradKafka(builder.Configuration)
            .UseEventHubs(connectionString);
        // end
    }

    public static void Sasl(HostApplicationBuilder builder, string password)
    {
        // snippet: provider-sasl
        builder.Services.AddNaradKafka(builder.Configuration)
            .Sasl("your_user", password, "scram-sha-512")  // or "scram-sha-256", or "plain", which is the default
            .Tls(ca: "/etc/kafka/ca.pem")
            .Configure(kafka => kafka.Brokers = "kafka-1.example.com:9093,kafka-2.example.com:9093");
        // end
    }

    public static void Tls(HostApplicationBuilder builder, string pfxPassword)
    {
        // snippet: provider-tls
        builder.Services.AddNaradKafka(builder.Configuration)
            .Tls(ca: "/etc/kafka/ca.pem", certificate: "/etc/kafka/client.pfx", keyPassword: pfxPassword)
            .Configure(kafka => kafka.Brokers = "kafka-1.example.com:9093");
        // end
    }
}
