using Chat;
using Chat.Contract;
using Narad.Kafka;

namespace Narad.Samples.Tests.Chat;

/// <summary>The document's environment blocks, as settings: what cannot start says what to do.</summary>
public sealed class ConfigurationTests
{
    public static TheoryData<string[], string[]> Blocks => new()
    {
        { ["KAFKA_BROKERS=127.0.0.1:1"], ["127.0.0.1:1", "the broker does not run", "KAFKA_BROKERS"] },
        {
            [
                "KAFKA_BROKERS=pkc-xxxxx.us-east-1.aws.confluent.cloud:9092", "KAFKA_SASL_USERNAME=your_api_key", "KAFKA_SASL_PASSWORD=your_api_secret",
                "KAFKA_SASL_MECHANISM=plain", "KAFKA_SSL_ENABLED=true", "KAFKA_SSL_REJECT_UNAUTHORIZED=false",
            ],
            ["KAFKA_SSL_REJECT_UNAUTHORIZED", "KAFKA_SSL_CA"]
        },
        {
            [
                "KAFKA_BROKERS=b-1.xxxxx.kafka.us-east-1.amazonaws.com:9092,b-2.xxxxx.kafka.us-east-1.amazonaws.com:9092", "KAFKA_SASL_USERNAME=AWS",
                "KAFKA_SASL_PASSWORD=your_aws_credentials", "KAFKA_SASL_MECHANISM=aws_msk_iam", "KAFKA_SSL_ENABLED=true",
            ],
            ["for aws_msk_iam on MSK use 9098"]
        },
        {
            [
                "KAFKA_BROKERS=your-namespace.servicebus.windows.net:9093", "KAFKA_SASL_USERNAME=$ConnectionString",
                "KAFKA_SASL_PASSWORD=Endpoint=sb://your-namespace.servicebus.windows.net/;SharedAccessKeyName=RootManageSharedAccessKey;"
                    + "SharedAccessKey=your-key",
                "KAFKA_SASL_MECHANISM=plain", "KAFKA_SSL_ENABLED=true",
            ],
            ["your-namespace.servicebus.windows.net:9093", "KAFKA_BROKERS"]
        },
        { ["REDIS_URL=localhost"], ["REDIS_URL", "redis://localhost:6379"] },
        { ["CHAT_SIGNING_KEY=short"], ["CHAT_SIGNING_KEY", "openssl rand"] },
        { ["MONGODB_URI=localhost"], ["MONGODB_URI", "mongodb://user:password@host:27017/database"] },
    };

    [Theory]
    [MemberData(nameof(Blocks))]
    public async Task A_block_that_leads_nowhere_here_ends_with_a_message_that_names_the_remedy(string[] block, string[] parts)
    {
        var failure = (await FluentActions.Awaiting(async () => await Sample.StartAsync(
            ["--urls:server=http://127.0.0.1:0", "--Kafka:ConnectTimeout=00:00:03", .. block.Select(static setting => $"--{setting}")],
            ChatRoles.All()[0])).Should().ThrowAsync<NaradKafkaException>()).Which;

        failure.Message.Should().ContainAll(parts).And.NotContain("your_api_secret").And.NotContain("SharedAccessKey=your-key");
    }

    [SkippableTheory]
    [InlineData("NARAD_TEST_KAFKA_USER", "NARAD_TEST_KAFKA_PASSWORD")]
    [InlineData(null, "NARAD_TEST_EVENTHUBS_CONNECTION_STRING")]
    public async Task A_block_with_a_login_over_TLS_starts(string? user, string password)
    {
        var id = $"narad-test-chat-{Guid.CreateVersion7():n}";
        await using var sample = await ChatHosts.StartAsync(
            1,
            "--Kafka:Mode=Kafka",
            $"--KAFKA_BROKERS={Variable("NARAD_TEST_KAFKA_SASL_SSL")}",
            $"--KAFKA_SASL_USERNAME={(user is null ? "$ConnectionString" : Variable(user))}",
            $"--KAFKA_SASL_PASSWORD={Variable(password)}",
            "--KAFKA_SASL_MECHANISM=plain",
            "--KAFKA_SSL_ENABLED=true",
            $"--KAFKA_SSL_CA={Variable("NARAD_TEST_KAFKA_CA")}",
            $"--KAFKA_TOPIC_CHAT_MESSAGES={id}-messages",
            $"--KAFKA_TOPIC_MESSAGE_PERSISTENCE={id}-persistence",
            $"--KAFKA_TOPIC_CHAT_PRESENCE={id}-presence",
            $"--KAFKA_CONSUMER_GROUP_ID={id}");
        await using var ann = await ChatUser.ConnectAsync(sample.UrlOf("server"), "Ann");
        await ann.JoinAsync("room");
        await ann.SendAsync("room", "hello");
        await ann.UntilAsync<MessageEvent>(static message => message.Text == "hello", "it comes back from Kafka");
    }

    private static string Variable(string name)
    {
        var value = Environment.GetEnvironmentVariable(name);
        Skip.If(string.IsNullOrEmpty(value), $"{name} is not set.");
        return value!;
    }
}
