using Orders.Participants.Payment;
using Orders.Participants.Stock;
using Orders.Saga;
using static Narad.Samples.Tests.Orders.OrderLog;

namespace Narad.Samples.Tests.Orders;

/// <summary>Commands that come twice, or in the wrong order.</summary>
public sealed class ParticipantTests
{
    private static readonly ChargePayment Charge = new(Id, "customer-1", 5.5m);
    private static readonly ReserveStock Reserve = new(Id, Created.Items);
    private static readonly ShipOrder Ship = new(Id, "Street 1");

    [Fact]
    public async Task A_payment_is_charged_once_and_paid_back_once()
    {
        await using var harness = new SagaHarness();
        await harness.Payment.HandleAsync(Charge, null!, default);
        await harness.Payment.HandleAsync(Charge, null!, default);
        (await harness.SentAsync()).Should().Equal("PAYMENT_CHARGED", "PAYMENT_CHARGED");

        await harness.Payment.HandleAsync(new RefundPayment(Id), null!, default);
        await harness.Payment.HandleAsync(new RefundPayment(Id), null!, default);
        await harness.Payment.HandleAsync(Charge, null!, default);
        (await harness.SentAsync()).Should().Equal("PAYMENT_RETURNED", "PAYMENT_RETURNED", "PAYMENT_REFUSED");

        (await harness.Memory.Payments.BookingsAsync(default)).Should().Equal(new Booking(Id, 5.5m), new Booking(Id, -5.5m));
    }

    [Fact]
    public async Task A_charge_that_comes_after_its_refund_takes_no_money()
    {
        await using var harness = new SagaHarness();
        await harness.Payment.HandleAsync(new RefundPayment(Id), null!, default);
        await harness.Payment.HandleAsync(Charge, null!, default);

        (await harness.SentAsync()).Should().Equal("PAYMENT_RETURNED", "PAYMENT_REFUSED");
        (await harness.Memory.Payments.BookingsAsync(default)).Should().BeEmpty();
    }

    [Fact]
    public async Task Stock_is_reserved_once_and_released_once()
    {
        await using var harness = new SagaHarness();
        await harness.Stock.HandleAsync(Reserve, null!, default);
        await harness.Stock.HandleAsync(Reserve, null!, default);
        (await harness.SentAsync()).Should().Equal("STOCK_TAKEN", "STOCK_TAKEN");
        (await LevelAsync("apple")).Should().Be(StockLevels.Initial - 2);

        await harness.Stock.HandleAsync(new ReleaseStock(Id), null!, default);
        await harness.Stock.HandleAsync(new ReleaseStock(Id), null!, default);
        await harness.Stock.HandleAsync(Reserve, null!, default);
        (await harness.SentAsync()).Should().Equal("STOCK_RETURNED", "STOCK_RETURNED", "STOCK_REFUSED");
        (await LevelAsync("apple")).Should().Be(StockLevels.Initial);

        async Task<int> LevelAsync(string sku) => (await harness.Memory.Warehouse.LevelsAsync(default))[sku];
    }

    [Fact]
    public async Task A_reservation_that_comes_after_its_release_takes_nothing_and_one_of_too_much_is_refused()
    {
        await using var harness = new SagaHarness();
        await harness.Stock.HandleAsync(new ReleaseStock(Id), null!, default);
        await harness.Stock.HandleAsync(Reserve, null!, default);
        (await harness.SentAsync()).Should().Equal("STOCK_RETURNED", "STOCK_REFUSED");

        await harness.Stock.HandleAsync(
            new ReserveStock("order-2", [Created.Items[1], Created.Items[0] with { Quantity = StockLevels.Initial + 1 }]), null!, default);

        (await harness.SentAsync()).Should().Equal("STOCK_REFUSED");
        (await harness.Memory.Warehouse.LevelsAsync(default)).Should().BeEmpty();
    }

    [Fact]
    public async Task A_parcel_that_left_is_not_called_off_and_one_that_was_called_off_does_not_leave()
    {
        await using var harness = new SagaHarness();
        await harness.Shipping.HandleAsync(Ship, null!, default);
        await harness.Shipping.HandleAsync(new CancelShipment(Id), null!, default);
        await harness.Shipping.HandleAsync(Ship, null!, default);
        (await harness.SentAsync()).Should().Equal("PARCEL_SHIPPED", "PARCEL_SHIPPED", "PARCEL_SHIPPED");

        await harness.Shipping.HandleAsync(new CancelShipment("order-2"), null!, default);
        await harness.Shipping.HandleAsync(Ship with { OrderId = "order-2" }, null!, default);
        (await harness.SentAsync()).Should().Equal("PARCEL_REFUSED", "PARCEL_REFUSED");
        (await harness.Memory.Shipments.AllAsync(default)).Should().ContainSingle(static shipment => shipment.TrackingNumber != null);
    }
}
