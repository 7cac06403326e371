using System.Collections;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization;
using Narad.Kafka.Tests.Service;

namespace Narad.Kafka.Tests.Serialization;

/// <summary>
/// What an endpoint returns of this library's results, it can write as JSON: with the serializer's defaults, those of the web, and source-generated.
/// </summary>
public sealed partial class ResultsAsJsonTests
{
    private static readonly JsonSerializerOptions[] Serializers = [JsonSerializerOptions.Default, JsonSerializerOptions.Web];

    // What the members of the public interfaces return, and what they hand to delegates.
    private static readonly Type[] Sources = [
        typeof(IKafkaService), typeof(IDeadLetters), typeof(IKafkaTopics), typeof(ISubscription), typeof(IBroadcastSubscription),
        typeof(KafkaDoctor), typeof(IFailureObserver)];

    // An exception is written where it is a member of a result; by itself it is not this library's. A subscription is tried below, as it is.
    public static TheoryData<Type> Results =>
        [.. Sources.SelectMany(ResultsOf).Where(type => type != typeof(Exception) && !type.GetGenericArguments().Append(type).Any(Sources.Contains)).Distinct()
            .OrderBy(type => type.FullName, StringComparer.Ordinal)];

    [Fact]
    public void The_results_are_found() =>
        Results.Cast<object[]>().Select(result => (Type)result[0]).Should()
            .Contain([typeof(RedriveReport), typeof(RedriveProgress), typeof(DeadLetterPage), typeof(DeadLetter), typeof(DisconnectReport),
            typeof(DoctorReport), typeof(SendResult), typeof(StoppedPartition), typeof(TopicDetails), typeof(TopicPartitionId),
                typeof(IReadOnlyDictionary<TopicPartitionId, long>), typeof(FailedMessage)]);

    [Theory]
    [MemberData(nameof(Results))]
    public void Every_result_is_written_as_JSON_with_all_that_it_holds(Type result)
    {
        var value = Sample.Of(result);
        foreach (var options in Serializers)
        {
            var json = JsonSerializer.Serialize(value, result, options);
            using var document = JsonDocument.Parse(json);
            document.RootElement.ValueKind.Should().NotBe(JsonValueKind.Null);
            JsonSerializer.Serialize(value, value.GetType(), options).Should().NotBeNullOrEmpty("an endpoint writes what it holds by its own type");
        }
    }

    [Fact]
    public void A_redrive_report_is_read_back_as_it_was_written()
    {
        var place = new TopicPartitionId("orders-dlt", 2);
        var report = new RedriveReport(
            3, 1, new Dictionary<SkippedReason, long> { [SkippedReason.TooLarge] = 1 }, new Dictionary<TopicPartitionId, long> { [place] = 7 }, "g")
        {
            FirstSkipped = [new SkippedDeadLetter(new TopicPartitionOffsetId(place, 4), SkippedReason.TooLarge, "too large")],
        };

        var json = JsonSerializer.Serialize(report, JsonSerializerOptions.Web);

        json.Should().Be("""{"sent":3,"filteredOut":1,"skipped":{"TooLarge":1},"positions":{"orders-dlt[2]":7},"group":"g","firstSkipped":[{"position":{"topic":"orders-dlt","partition":2,"offset":4},"reason":"TooLarge","explanation":"too large"}]}""");
        JsonSerializer.Deserialize<RedriveReport>(json, JsonSerializerOptions.Web).Should().BeEquivalentTo(report);
    }

    [Fact]
    public void Results_are_written_by_a_source_generated_context_of_another_assembly()
    {
        var report = (RedriveReport)Sample.Of(typeof(RedriveReport));
        var stopped = (StoppedPartition)Sample.Of(typeof(StoppedPartition));
        var letter = (DeadLetter)Sample.Of(typeof(DeadLetter));
        JsonSerializer.Serialize(report, ResultJson.Default.RedriveReport).Should().Be(JsonSerializer.Serialize(report));
        JsonSerializer.Serialize(stopped, ResultJson.Default.StoppedPartition).Should().Be(JsonSerializer.Serialize(stopped));
        JsonSerializer.Serialize(letter, ResultJson.Default.DeadLetter).Should().Be(JsonSerializer.Serialize(letter));
        typeof(IKafkaService).Assembly.GetTypes().Where(type => type.IsAssignableTo(typeof(JsonConverter)) && type.Namespace == typeof(IKafkaService).Namespace)
            .Should().ContainSingle("generated code of an application creates it").Which.Should().Be<KafkaJsonConverter>();
        typeof(KafkaJsonConverter).IsPublic.Should().BeTrue();
    }

    public static TheoryData<string, string> Keys => new()
    {
        { "", "null" },
        { "k", "\"customer-7\"" },
        { "e", "\"\"" },
        { "i", """{"base64":"AAAAKg=="}""" },
        { "b", """{"base64":"/wA="}""" },
    };

    [Theory]
    [MemberData(nameof(Keys))]
    public void A_key_is_text_where_it_is_printable_and_is_read_back_as_an_equal_one(string kind, string json)
    {
        MessageKey key = kind switch { "k" => "customer-7", "e" => MessageKey.From(""), "i" => 42, "b" => new byte[] { 255, 0 }, _ => MessageKey.None };
        JsonSerializer.Serialize(key).Should().Be(json);
        JsonSerializer.Deserialize<MessageKey>(json).Should().Be(key);
    }

    [Theory]
    [InlineData("7")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"base64":"AAAA","more":1}""")]
    public void What_is_no_key_is_refused(string json) =>
        FluentActions.Invoking(() => JsonSerializer.Deserialize<MessageKey>(json)).Should().Throw<JsonException>();

    [Fact]
    public void Coordinates_and_keys_are_read_back_from_the_names_of_properties()
    {
        var partitions = new Dictionary<TopicPartitionId, int> { [new("orders", 3)] = 1, [new("a[1]@2", 0)] = 2 };
        var offsets = new Dictionary<TopicPartitionOffsetId, int> { [new("orders", 3, 7)] = 1, [new("a[1]@2", 0, long.MaxValue)] = 2 };
        var keys = new Dictionary<MessageKey,
            int> { ["customer-7"] = 1, [MessageKey.From("")] = 2, [new byte[] { 255, 0 }] = 3, ["base64:AAAA"] = 4, [42] = 5 };

        JsonSerializer.Serialize(partitions).Should().Be("""{"orders[3]":1,"a[1]@2[0]":2}""");
        JsonSerializer.Serialize(offsets).Should().Be("""{"orders[3]@7":1,"a[1]@2[0]@9223372036854775807":2}""");
        ReadBack(partitions).Should().BeEquivalentTo(partitions);
        ReadBack(offsets).Should().BeEquivalentTo(offsets);
        ReadBack(keys).Should().BeEquivalentTo(keys);
        FluentActions.Invoking(() => ReadBack(new Dictionary<MessageKey, int> { [MessageKey.None] = 1 })).Should().Throw<JsonException>()
            .WithMessage("*without a key*");
        FluentActions.Invoking(() => JsonSerializer.Deserialize<Dictionary<MessageKey, int>>("""{"base64:?":1}""")).Should().Throw<JsonException>();
        FluentActions.Invoking(() => JsonSerializer.Deserialize<Dictionary<TopicPartitionOffsetId, int>>("""{"orders[3]":1}""")).Should().Throw<JsonException>().WithMessage("*topic*partition*@offset*");

        static T ReadBack<T>(T value) => JsonSerializer.Deserialize<T>(JsonSerializer.Serialize(value))!;
    }

    [Theory]
    [InlineData("""{"topic":"t","partition":1}""")]
    [InlineData("7")]
    public void What_has_no_offset_is_refused(string json) =>
        FluentActions.Invoking(() => JsonSerializer.Deserialize<TopicPartitionOffsetId>(json)).Should().Throw<JsonException>();

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"topic":"t"}""")]
    [InlineData("7")]
    public void What_is_no_partition_is_refused(string json)
    {
        FluentActions.Invoking(() => JsonSerializer.Deserialize<TopicPartitionId>(json)).Should().Throw<JsonException>();
        FluentActions.Invoking(() => JsonSerializer.Deserialize<Dictionary<TopicPartitionId, long>>("""{"orders":1}""")).Should().Throw<JsonException>();
    }

    [Fact]
    public async Task A_subscription_that_stopped_is_written_with_its_reason()
    {
        await using var service = await EmbeddedService.StartAsync();
        service.Broker.CreateTopic("orders", 1);
        var subscription = await service.Kafka.SubscribeAsync<string>("orders", (_, _, _) => throw new InvalidOperationException("not today"));
        await service.SendAsync("orders", "x");
        await Waiting.Until(() => subscription.StoppedPartitions.Count == 1, "it stops");

        foreach (var json in (string[])[
            JsonSerializer.Serialize(subscription, JsonSerializerOptions.Web), JsonSerializer.Serialize<object>(subscription, JsonSerializerOptions.Web)])
        {
            using var document = JsonDocument.Parse(json);
            document.RootElement.GetProperty("topic").GetString().Should().Be("orders");
            document.RootElement.GetProperty("state").GetString().Should().Be("Running");
            var stopped = document.RootElement.GetProperty("stoppedPartitions")[0];
            stopped.GetProperty("partition").GetProperty("partition").GetInt32().Should().Be(0);
            stopped.GetProperty("reason").GetProperty("message").GetString().Should().Be("not today");
            stopped.GetProperty("reason").GetProperty("type").GetString().Should().Be("System.InvalidOperationException");
            document.RootElement.EnumerateObject().Select(property => property.Name).Should()
                .BeEquivalentTo(typeof(ISubscription).GetProperties().Select(property => JsonNamingPolicy.CamelCase.ConvertName(property.Name)));
        }
    }

    private static IEnumerable<Type> ResultsOf(Type source) =>
        source.GetMethods().Where(method => method.DeclaringType != typeof(object)).SelectMany(method =>
            method.GetParameters().Select(parameter => parameter.ParameterType).Where(type => source == typeof(IFailureObserver) || IsProgress(type))
                .Append(method.ReturnType))
            .Select(Unwrapped).OfType<Type>()
            .SelectMany(type => type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IReadOnlyList<>) ? (Type[])[type, type.GetGenericArguments()[0]]
                : [type])
            .Where(type => !type.IsGenericMethodParameter);

    private static bool IsProgress(Type type) => type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IProgress<>);

    private static Type? Unwrapped(Type type)
    {
        if (type == typeof(void) || type == typeof(Task) || type == typeof(ValueTask))
        {
            return null;
        }

        var isWrapper = type.IsGenericType && type.GetGenericTypeDefinition() is var definition
            && (definition == typeof(Task<>) || definition == typeof(ValueTask<>) || definition == typeof(IAsyncEnumerable<>)
                || definition == typeof(IProgress<>) || definition == typeof(Nullable<>));
        return isWrapper ? type.GetGenericArguments()[0] : type;
    }

    /// <summary>A value of any result type, with something in each of its members.</summary>
    private static class Sample
    {
        public static object Of(Type type)
        {
            type = Nullable.GetUnderlyingType(type) ?? type;
            return type switch
            {
                _ when type == typeof(string) => "text",
                _ when type == typeof(bool) => true,
                _ when type == typeof(byte[]) => new byte[] { 1, 255 },
                _ when type == typeof(ReadOnlyMemory<byte>) => new ReadOnlyMemory<byte>([1, 255]),
                _ when type == typeof(DateTimeOffset) => DateTimeOffset.UnixEpoch,
                _ when type == typeof(TimeSpan) => TimeSpan.FromSeconds(1),
                _ when type == typeof(MessageKey) => (MessageKey)"key",
                _ when type == typeof(MessageHeaders) => new MessageHeaders().Add("name", "value"),
                _ when type == typeof(MessageContext) => new MessageContext { Topic = "orders", Key = 7L },
                _ when type == typeof(Exception) => Thrown(),
                _ when type.IsEnum => Enum.GetValues(type).GetValue(Enum.GetValues(type).Length - 1)!,
                _ when type.IsPrimitive => Convert.ChangeType(7, type, System.Globalization.CultureInfo.InvariantCulture),
                _ when type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IReadOnlyList<>) => List(type.GetGenericArguments()[0]),
                _ when type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IReadOnlyDictionary<,>) => Dictionary(type.GetGenericArguments()),
                _ => Object(type),
            };
        }

        private static object List(Type item)
        {
            var array = Array.CreateInstance(item, 1);
            array.SetValue(Of(item), 0);
            return array;
        }

        private static object Dictionary(Type[] types)
        {
            var dictionary = (IDictionary)Activator.CreateInstance(typeof(Dictionary<,>).MakeGenericType(types))!;
            dictionary.Add(Of(types[0]), Of(types[1]));
            return dictionary;
        }

        private static object Object(Type type)
        {
            var constructor = type.GetConstructors(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance)
                .Where(candidate => candidate.GetParameters() is not [var only] || only.ParameterType != type)
                .MaxBy(candidate => candidate.GetParameters().Length)!;
            var value = constructor.Invoke([.. constructor.GetParameters().Select(parameter => Of(parameter.ParameterType))]);
            foreach (var property in type.GetProperties()
                .Where(property => property.SetMethod is { IsPublic: true } && property.GetIndexParameters().Length == 0))
            {
                property.SetValue(value, Of(property.PropertyType));
            }

            return RuntimeHelpers.GetObjectValue(value);
        }

        // One that was thrown has a method and a stack, which cannot be written.
        private static Exception Thrown()
        {
            try
            {
                throw new InvalidOperationException("wrong");
            }
            catch (InvalidOperationException error)
            {
                return error;
            }
        }
    }

    [JsonSerializable(typeof(RedriveReport))]
    [JsonSerializable(typeof(DeadLetter))]
    [JsonSerializable(typeof(StoppedPartition))]
    private sealed partial class ResultJson : JsonSerializerContext;
}
