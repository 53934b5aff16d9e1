use super::{NotificationDelivery, NotificationState};
use crate::app::{AppError, notifications};
use crate::http::AppState;
use crate::http::extract::{Admin, Id, Params, paging};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use proxima_db::notifications::log::Cursor;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct NotificationDeliveriesQuery {
    #[param(inline)]
    pub state: Option<NotificationState>,
    pub cursor: Option<String>,
    /// 1 to 200, by default 50.
    pub limit: Option<u32>,
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NotificationDeliveryPage {
    pub items: Vec<NotificationDelivery>,
    #[schema(required)]
    pub next_cursor: Option<String>,
}

/// An endpoint's deliveries, newest first
#[utoipa::path(get, path = "/api/v1/notifications/endpoints/{endpointId}/deliveries", tag = "notifications",
    security(("session" = [])), params(("endpointId" = Uuid, Path), NotificationDeliveriesQuery),
    responses((status = 200, body = NotificationDeliveryPage), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn notification_delivery_list(
    State(app): State<AppState>,
    Admin(admin): Admin,
    Id(id): Id<Uuid>,
    Params(query): Params<NotificationDeliveriesQuery>,
) -> Result<Json<NotificationDeliveryPage>, AppError> {
    let before: Option<Cursor> = paging::decode(query.cursor.as_deref())?;
    let state = query.state.map(NotificationState::as_str);
    let page = notifications::deliveries(&app, &admin, id, state, before, paging::limit(query.limit)?).await?;
    let next_cursor = page.next.and_then(|key| paging::encode(&key));
    Ok(Json(NotificationDeliveryPage {
        items: page.items.into_iter().map(NotificationDelivery::from).collect(),
        next_cursor,
    }))
}
