using MongoDB.Bson;
using MongoDB.Driver;
using Notifications;
using Notifications.Storage;

namespace Narad.Samples.Tests.Notifications;

/// <summary>What each storage does.</summary>
public sealed class StorageTests
{
    [SkippableTheory]
    [InlineData(null)]
    [InlineData("NARAD_TEST_MONGODB")]
    [InlineData("NARAD_TEST_MONGODB_REPLICA_SET")]
    public async Task What_is_stored_is_there_once_in_order_and_pending_until_its_state_changes(string? server)
    {
        await using var storage = Storage.Open(server);
        var store = storage.Store;

        StoredNotification[] some = [New("user1", "b"), New("user1", "a"), New("user2", "a"), New("user1", "b")];
        Ids(await store.StoreAsync(some, default)).Should().BeEquivalentTo("b", "a", "a");
        (await ChangeAsync(NotificationState.Delivered, "a")).Should().Be(1);
        Ids(await store.StoreAsync([New("user1", "b"), New("user1", "a"), New("user1", "c")], default)).Should().Equal("b", "c");

        var pending = await store.PendingAsync("user1", after: 0, limit: 10, default);
        Ids(pending).Should().Equal("b", "c");
        Ids(await store.PendingAsync("user1", pending[0].Position, limit: 10, default)).Should().Equal("c");
        Ids(await store.PendingAsync("user1", after: 0, limit: 1, default)).Should().Equal("b");

        Ids(await ListAsync(null)).Should().Equal("c", "a", "b");
        Ids(await ListAsync(null, NotificationState.Pending)).Should().Equal("c", "b");
        Ids(await ListAsync(pending[1].Position)).Should().Equal("a", "b");
        (await store.CountAsync("user1", default)).Should().Equal(new Dictionary<NotificationState, long>
        {
            [NotificationState.Pending] = 2, [NotificationState.Delivered] = 1,
        });

        (await ChangeAsync(NotificationState.Read, "a", "b")).Should().Be(2);
        (await ChangeAsync(NotificationState.Seen, "a", "b")).Should().Be(0);
        (await store.ChangeAsync("user1", new StateChange(NotificationState.Archived, Ids: null, pending[0].Position), default)).Should().Be(1);
        (await store.ChangeAsync("user1", new StateChange(NotificationState.Archived, Ids: null, UpTo: null), default)).Should().Be(2);
        Ids(await store.PendingAsync("user2", after: 0, limit: 10, default)).Should().Equal("a");

        await store.AddUserAsync("user1", default);
        await store.AddUserAsync("user3", default);
        await store.AddUserAsync("user3", default);
        (await store.UsersAsync(default).ToListAsync()).Should().BeEquivalentTo("user1", "user2", "user3");

        Task<long> ChangeAsync(NotificationState state, params string[] ids) => store.ChangeAsync("user1", new StateChange(state, ids, UpTo: null), default);
        Task<IReadOnlyList<StoredNotification>> ListAsync(long? before, params NotificationState[] states) =>
            store.ListAsync("user1", states.Length > 0 ? states : Enum.GetValues<NotificationState>(), before, limit: 10, default);
    }

    [SkippableTheory]
    [InlineData("NARAD_TEST_MONGODB")]
    [InlineData("NARAD_TEST_MONGODB_REPLICA_SET")]
    public async Task The_database_deletes_what_has_expired(string server)
    {
        await using var storage = Storage.Open(server);
        await storage.Store.StoreAsync(
            [New("user1", "short") with { ExpiresAt = DateTimeOffset.UtcNow.AddSeconds(1) }, New("user1", "long")], default);

        await NotificationsHost.UntilAsync(async () => await storage.CountAsync() == 1, "one is deleted");

        Ids(await storage.Store.PendingAsync("user1", after: 0, limit: 10, default)).Should().Equal("long");
    }

    [Fact]
    public async Task A_database_that_does_not_answer_is_an_outage_without_a_secret()
    {
        await using var sample = await Sample.StartAsync(
            ["--urls=http://127.0.0.1:0", "--MONGODB_URI=mongodb://user:secret@127.0.0.1:1/?serverSelectionTimeoutMS=200"], NotificationsRoles.All());
        using var http = new HttpClient { BaseAddress = sample.UrlOf("consumer") };

        using var refused = await http.GetAsync("/notifications?userId=user1");

        ((int)refused.StatusCode).Should().Be(503);
        (await refused.Content.ReadAsStringAsync()).Should().Contain("The storage does not answer").And.NotContain("secret").And.NotContain("   at ");
    }

    private static StoredNotification New(string userId, string id) => new()
    {
        Id = id, UserId = userId, Message = "m", Timestamp = DateTimeOffset.UtcNow, ExpiresAt = DateTimeOffset.UtcNow.AddHours(1), Position = 0,
    };

    private static IEnumerable<string> Ids(IEnumerable<StoredNotification> notifications) => notifications.Select(static notification => notification.Id);

    /// <summary>A storage of its own.</summary>
    private sealed class Storage : IAsyncDisposable
    {
        private readonly InMemoryNotifications _memory = new(TimeProvider.System);
        private readonly IMongoDatabase? _database;

        private Storage(IMongoDatabase? database)
        {
            _database = database;
            Store = database is null ? _memory : new MongoNotifications(database, TimeProvider.System);
        }

        public INotificationStore Store { get; }

        public static Storage Open(string? variable)
        {
            if (variable is null)
            {
                return new Storage(database: null);
            }

            var uri = Environment.GetEnvironmentVariable(variable);
            Skip.If(string.IsNullOrEmpty(uri), $"{variable} names no MongoDB server.");
            return new Storage(new MongoClient(uri).GetDatabase($"narad-test-notifications-{Guid.CreateVersion7():n}"));
        }

        public Task<long> CountAsync() => _database!.GetCollection<BsonDocument>("notifications").CountDocumentsAsync(new BsonDocument());

        public async ValueTask DisposeAsync()
        {
            _memory.Dispose();
            if (_database is not null)
            {
                await _database.Client.DropDatabaseAsync(_database.DatabaseNamespace.DatabaseName);
            }
        }
    }
}
